"""The last bars before a time: those that a feed has closed, and before these what is stored."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import psycopg

from apps.feeds.adapters.replay import Past, ReplayAdapter
from apps.feeds.contracts import BAR_COLUMNS, BarClosed, ReceiveBars
from apps.feeds.core import FEEDS
from apps.feeds.interface import InstrumentNotFound, NoData, get_instrument
from apps.feeds.live import TickError, check_tick
from apps.feeds.pipeline import FeedPipeline, FeedSpec
from apps.feeds.reading import find_rows
from banyan.clock import VirtualClock
from banyan.codec import decode_message
from banyan.columns import ints
from banyan.host.delivery import split_events
from banyan.store import Store, lent
from trading.bars import Close
from trading.intervals import DAY

_AT_FIRST, _AT_ONCE = 8, 500
_RECORDS_MAX = 20_000
_HOLE_NS_MAX = 4 * DAY
_HOLE_BARS_MAX = 10

Bars = dict[int, tuple[int, ...]]
"""The columns of `BAR_COLUMNS` by close time."""


class Channel(NamedTuple):
    """An instrument's bars of one interval."""

    instrument: str
    interval_ns: int


def bars_before(feed: str, counts: Mapping[Channel, int], before_ns: int) -> list[BarClosed]:
    """Return the last bars that closed before a time, oldest first: of each channel so many, or those that there are.

    They are as the feed gives them. A hole of more than four days, and ten bars, ends a channel's history: what lies
    before is too old to go on from.
    """
    found = _closed_by(feed, counts, before_ns)
    for channel, count in counts.items():
        bars = found[channel]
        if len(bars) < count:
            stored = _stored(channel, min(bars, default=before_ns), count - len(bars))
            found[channel] = {**stored, **bars}
    return _merged(feed, {each: _unbroken(each, found[each], counts[each], before_ns) for each in counts})


def last_quote(feed: str, instrument: str) -> Close | None:
    """Return at what the last bar of an instrument has closed that a feed has let in."""
    for messages in _backwards(lent(FEEDS.name), feed, _AT_FIRST):
        having = [each for each in messages if instrument in each.instruments]
        if having:
            last = max(having, key=lambda each: each.closed_at_ns)
            at = last.instruments.index(instrument)
            return Close(int(last.bid_close[at]), int(last.ask_close[at]), last.closed_at_ns)
    return None


def _closed_by(feed: str, counts: Mapping[Channel, int], before_ns: int) -> dict[Channel, Bars]:
    """Return what the log of a feed holds, read backwards until there is enough of each channel."""
    found: dict[Channel, Bars] = {channel: {} for channel in counts}
    for messages in _backwards(None, feed, _AT_ONCE):
        before: dict[Channel, Bars] = {channel: {} for channel in counts}
        for message in messages:
            if message.closed_at_ns < before_ns:
                _collect(before, message)
        found = {channel: before[channel] | bars for channel, bars in found.items()}
        if all(len(found[each]) >= count for each, count in counts.items()):
            break
    return found


def _backwards(
    connection: "psycopg.Connection[Any] | None", feed: str, at_once: int
) -> Iterator[list[BarClosed]]:  # fmt: skip
    """Yield the closed bars of the last records of a feed's log, a piece of it at a time, the last piece first.

    Pieces become longer, up to 500 records, from `at_once` on.
    """
    with closing(Store(FEEDS.name, lent=connection)) as store:
        last = store.numbers([feed]).get(feed, 0)
        first = max(0, last - _RECORDS_MAX)
        while last > first:
            steps = store.steps(feed, max(first, last - at_once), last)
            events = [event for step in steps for event in split_events(step.events)]
            yield [_closed(body) for name, body in events if name == BarClosed.wire_name]
            last -= at_once
            at_once = min(4 * at_once, _AT_ONCE)


def _closed(body: bytes) -> BarClosed:
    message = decode_message(BarClosed.wire_name, body)
    assert isinstance(message, BarClosed)
    return message


def _stored(channel: Channel, before_ns: int, count: int) -> Bars:
    """Return what is stored, as a replay of it would give it to a feed."""
    try:
        terms = check_tick(get_instrument(channel.instrument))
        kind, rows = find_rows(channel.instrument, channel.interval_ns, None, before_ns - channel.interval_ns)
    except (NoData, InstrumentNotFound, TickError):
        return {}
    rows = rows.select(slice(max(0, len(rows) - count), len(rows)))
    past = Past(kind, channel.interval_ns, rows.time, rows.values)
    pipeline = FeedPipeline(FeedSpec("", {channel.instrument: terms}, wait_ns=0))
    adapter = ReplayAdapter(lambda _: {channel.instrument: past}, VirtualClock(before_ns))
    pipeline.begin(adapter.open(0))
    found: dict[Channel, Bars] = {channel: {}}
    while (reading := adapter.read(0.0)) is not None:
        for message in pipeline.take(reading, before_ns):
            if isinstance(message, ReceiveBars):
                _collect(found, message)
    return found[channel]


def _collect(found: dict[Channel, Bars], message: BarClosed | ReceiveBars) -> None:
    for row, instrument in enumerate(message.instruments):
        bars = found.get(Channel(instrument, message.interval_ns))
        if bars is not None:
            bars[message.closed_at_ns] = tuple(int(getattr(message, name)[row]) for name in BAR_COLUMNS)


def _unbroken(channel: Channel, bars: Bars, count: int, before_ns: int) -> Bars:
    """Return the last `count` of them, up to the first hole that is too long."""
    longest = max(_HOLE_NS_MAX, (_HOLE_BARS_MAX + 1) * channel.interval_ns)
    kept: Bars = {}
    for closed_at_ns in sorted(bars, reverse=True)[:count]:
        if before_ns - closed_at_ns > longest:
            break
        kept[closed_at_ns] = bars[closed_at_ns]
        before_ns = closed_at_ns
    return kept


def _merged(feed: str, found: Mapping[Channel, Bars]) -> list[BarClosed]:
    """Return one message for all bars of an interval that closed at the same time."""
    together: dict[tuple[int, int], dict[str, tuple[int, ...]]] = {}
    for channel, bars in found.items():
        for closed_at_ns, values in bars.items():
            together.setdefault((closed_at_ns, channel.interval_ns), {})[channel.instrument] = values
    return [_message(feed, *key, together[key]) for key in sorted(together)]


def _message(feed: str, closed_at_ns: int, interval_ns: int, rows: Mapping[str, Iterable[int]]) -> BarClosed:
    columns = np.array(list(rows.values()), np.int64).T
    return BarClosed(
        feed=feed,
        interval_ns=interval_ns,
        closed_at_ns=closed_at_ns,
        instruments=list(rows),
        revision=ints([0] * len(rows)),
        **{name: ints(column.tolist()) for name, column in zip(BAR_COLUMNS, columns, strict=True)},
    )
