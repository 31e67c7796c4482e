"""What this side's own sources give of feeds that the other side leads.

Each side receives the records of a source itself, and makes bars of them. Those of who follows are told to nobody: they
are kept until the leader's log shows them, and compared with what that has. On the day that the feed is led here, the
feed is told those that its log lacks.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import numpy as np

from apps.feeds.contracts import BAR_COLUMNS, BarClosed, ReceiveBars
from apps.feeds.core import FeedState
from banyan.clock import Clock
from banyan.codec import decode_envelope, encode_message
from banyan.columns import ints
from banyan.host import COMPARATOR, Delivery, Host, Shown
from banyan.host.delivery import join_events
from banyan.messages import Compared, Message
from trading.intervals import SECOND

PATIENCE_NS = 5 * SECOND
"""So much later than the leader's a bar may come here before it is missing, and the other way round."""
_BARS_MOST = 20_000
_SHOWN_MOST = 1_000

Place = tuple[int, int]
"""The close time and the interval of bars, ns."""
Row = tuple[int, ...]
Rows = dict[str, Row]


class Leads(Protocol):
    """Who leads a feed, and what its log has."""

    def leads(self, feed: str) -> bool | None:
        """Tell whether a feed is led here; None: not yet known, or it is not here at all."""

    def closed_at_ns(self, feed: str, instrument: str, interval_ns: int) -> int:
        """Return when the last bar in the log closed, 0 without one."""

    def compare(self, told: list[Delivery]) -> None:
        """Take what came of comparing to the comparator."""


@dataclass(slots=True)
class _Awaited:
    """Bars of the leader that have been shown, and since when, by the monotonic clock."""

    shown: Shown
    bars: BarClosed
    since_ns: int


@dataclass(slots=True)
class _Feed:
    """One feed: our bars that nobody has shown yet, by place and instrument, and from when on we have them all."""

    ours: dict[Place, Rows] = field(default_factory=dict)
    came_ns: dict[Place, int] = field(default_factory=dict)
    awaited: deque[_Awaited] = field(default_factory=deque)
    last: _Awaited | None = None
    whole_from_ns: int | None = None
    followed_from_ns: int = 0
    shown_ns: dict[tuple[str, int], int] = field(default_factory=dict)

    def drop(self, place: Place) -> None:
        """Forget our bars of a place."""
        self.ours.pop(place, None)
        self.came_ns.pop(place, None)

    def is_shown_beyond(self, name: str, place: Place) -> bool:
        """Tell whether the leader has closed this bar of an instrument, or a later one."""
        return self.shown_ns.get((name, place[1]), 0) >= place[0]


class Beside:
    """Keeps and compares, for all feeds of a process.

    `show` is called by the host's thread, the rest by the one that works the sources.
    """

    def __init__(self, leads: Leads, clock: Clock) -> None:
        self.leads = leads
        self._clock = clock
        self._feeds: dict[str, _Feed] = {}
        self._lock = threading.Lock()

    def begin(self, feed: str, whole_from_ns: int | None) -> None:
        """Note from which time on (ns since 1970 UTC) our source gives all there is; None: it is not open yet."""
        with self._lock:
            self._of(feed).whole_from_ns = whole_from_ns

    def keep(self, feed: str, messages: Sequence[Message]) -> None:
        """Keep the first closes among what a feed would be told here. Revisions are the leader's to tell."""
        with self._lock:
            found = self._of(feed)
            for message in messages:
                if isinstance(message, ReceiveBars) and not message.revision.any():
                    place = message.closed_at_ns, message.interval_ns
                    rows = found.ours.setdefault(place, {})
                    rows.update(_rows(message))
                    found.came_ns.setdefault(place, self._clock.monotonic_ns())
            while len(found.ours) > _BARS_MOST:
                found.drop(next(iter(found.ours)))

    def show(self, shown: Sequence[Shown]) -> None:
        """Hear what leaders' logs have shown."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            for each in shown:
                found = self._of(each.envelope.key)
                for event in each.events:
                    if isinstance(event, BarClosed) and not event.revision.any():
                        found.followed_from_ns = found.followed_from_ns or event.closed_at_ns
                        for name in event.instruments:
                            place = name, event.interval_ns
                            found.shown_ns[place] = max(event.closed_at_ns, found.shown_ns.get(place, 0))
                        found.awaited.append(_Awaited(each, event, now_ns))
                while len(found.awaited) > _SHOWN_MOST:
                    found.awaited.popleft()

    def look(self) -> None:
        """Compare the bars that both sides have by now, and those that one of them should have had."""
        now_ns = self._clock.monotonic_ns()
        told: list[Delivery] = []
        with self._lock:
            for feed, found in self._feeds.items():
                told += self._compared(feed, found, now_ns)
        if told:
            self.leads.compare(told)

    def taken(self, feed: str) -> list[ReceiveBars]:
        """Return the bars that a feed is to be told now that it is led here: those that its log lacks. Forget all."""
        with self._lock:
            found = self._feeds.pop(feed, _Feed())
        messages = []
        for (closed_at_ns, interval_ns), rows in sorted(found.ours.items()):
            lacking = {
                name: row for name, row in rows.items()
                if closed_at_ns > self.leads.closed_at_ns(feed, name, interval_ns)
            }  # fmt: skip
            if lacking:
                messages.append(
                    ReceiveBars(
                        feed=feed, interval_ns=interval_ns, closed_at_ns=closed_at_ns, instruments=list(lacking),
                        **_columns(lacking),
                    )
                )  # fmt: skip
        return messages

    def _of(self, feed: str) -> _Feed:
        return self._feeds.setdefault(feed, _Feed())

    def _compared(self, feed: str, found: _Feed, now_ns: int) -> Iterator[Delivery]:
        for each in list(found.awaited):
            place = each.bars.closed_at_ns, each.bars.interval_ns
            is_whole = found.whole_from_ns is not None and place[0] - place[1] >= found.whole_from_ns
            wanted = set(each.bars.instruments) if is_whole else set()
            ours = found.ours.get(place, {})
            is_known = found.whole_from_ns is not None and wanted <= ours.keys()
            if is_known or now_ns - each.since_ns > PATIENCE_NS:
                found.awaited.remove(each)
                found.last = each
                if wanted:
                    yield self._verdict(feed, each, {name: ours[name] for name in wanted if name in ours}, wanted)
                for name in each.bars.instruments:
                    ours.pop(name, None)
                if not ours:
                    found.drop(place)
        yield from self._extra(feed, found, now_ns)

    def _extra(self, feed: str, found: _Feed, now_ns: int) -> Iterator[Delivery]:
        """Yield what tells of bars that only this side has, once the leader has gone on without them."""
        for place in [each for each, came_ns in found.came_ns.items() if now_ns - came_ns > PATIENCE_NS]:
            passed = {name: row for name, row in found.ours[place].items() if found.is_shown_beyond(name, place)}
            if passed and place[0] > found.followed_from_ns and found.last is not None:
                extra = _bars(feed, place, passed)
                yield _told(found.last, [found.last.bars, extra], self._clock.wall_ns())
            for name in passed:
                del found.ours[place][name]
            if not found.ours[place]:
                found.drop(place)

    def _verdict(self, feed: str, awaited: _Awaited, ours: Rows, wanted: set[str]) -> Delivery:
        theirs = {name: row for name, row in _rows(awaited.bars) if name not in wanted or name in ours}
        mine = theirs | ours
        is_same = len(mine) == len(awaited.bars.instruments) and mine == theirs
        place = awaited.bars.closed_at_ns, awaited.bars.interval_ns
        return _told(awaited, [] if is_same else [_bars(feed, place, mine)] if mine else None, self._clock.wall_ns())


def _told(awaited: _Awaited, bars: Sequence[BarClosed] | None, now_ns: int) -> Delivery:
    """Return what tells the comparator what the source here gave beside a record: [] the same, None nothing."""
    envelope, logged = awaited.shown.envelope, awaited.shown.logged
    cause = decode_envelope(bytes(logged.envelope))
    events = join_events([(each.wire_name, encode_message(each)) for each in bars or ()])
    compared = Compared(
        same=bars is not None and not bars, cause=cause.id, input=cause.name, received_at_ns=logged.received_at_ns,
        committed_at_ns=logged.committed_at_ns, followed_at_ns=now_ns, decided_ns=0, events=msgspec.Raw(events),
        source=True,
    )  # fmt: skip
    told = msgspec.structs.replace(envelope, name=Compared.wire_name, sent_at_ns=now_ns)
    return Delivery(COMPARATOR, told, encode_message(compared))


def _rows(bars: BarClosed | ReceiveBars) -> Iterator[tuple[str, Row]]:
    columns = [getattr(bars, name).tolist() for name in BAR_COLUMNS]
    yield from zip(bars.instruments, zip(*columns, strict=True), strict=True)


def _columns(rows: Rows) -> dict[str, Any]:
    table = np.array(list(rows.values()), np.int64).T
    return {name: ints(column.tolist()) for name, column in zip(BAR_COLUMNS, table, strict=True)}


def _bars(feed: str, place: Place, rows: Rows) -> BarClosed:
    return BarClosed(
        feed=feed, interval_ns=place[1], closed_at_ns=place[0], instruments=list(rows),
        revision=ints([0] * len(rows)), **_columns(rows),
    )  # fmt: skip


class HostLeads:
    """Who leads, as the host of the same process knows it.

    Of a feed that has no log here `unknown` is said: the app leads what nobody else does.
    """

    def __init__(self, host: Host[FeedState], *, unknown: bool | None) -> None:
        self._host = host
        self._unknown = unknown
        self._known: dict[str, bool] = {}

    def leads(self, feed: str) -> bool | None:
        """Tell whether a feed is led here; None: its log has not begun here."""
        memory = self._host.keys.get(feed)
        if memory is None:
            is_new = self._host.wanted is not None and feed not in self._host.wanted
            return self._known.get(feed, self._unknown if is_new else None)
        if not memory.is_leading and (self._host.context.name, feed) not in memory.marks:
            return None
        self._known[feed] = memory.is_leading
        return memory.is_leading

    def closed_at_ns(self, feed: str, instrument: str, interval_ns: int) -> int:
        """Return when the last bar in the log closed, 0 without one."""
        memory = self._host.keys.get(feed)
        return 0 if memory is None else memory.state.closed_at_ns.get((instrument, interval_ns), 0)

    def compare(self, told: list[Delivery]) -> None:
        """Take what came of comparing to the comparator, while there is one."""
        self._host.compare(told)
