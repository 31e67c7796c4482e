"""What a feed decides: which bars from outside are true, and which are missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.feeds.calendars import CalendarError, count_missing
from apps.feeds.contracts import (
    BAR_COLUMNS,
    BarClosed,
    ConfigureFeed,
    FeedConfigured,
    FeedInstrument,
    FeedStale,
    GapDetected,
    Listen,
    ListenerChanged,
    QuarantineRecords,
    ReceiveBars,
    RecordQuarantined,
    ReportSilence,
)
from apps.feeds.records import Reason
from banyan.columns import Ints, ints
from banyan.context import Context
from banyan.messages import Message, Received
from trading.instruments import Instrument

SNAPSHOT_VERSION = 3


@dataclass(slots=True)
class FeedState:
    """A feed: when the last bar of each (instrument, interval) closed, ns since 1970 UTC, and what it should give.

    `listeners` are the strategy sets that get its bars.
    """

    feed: str
    closed_at_ns: dict[tuple[str, int], int] = field(default_factory=dict)
    instruments: dict[str, FeedInstrument] = field(default_factory=dict)
    is_stale: bool = False
    listeners: frozenset[str] = frozenset()


def decide(state: FeedState, received: Received) -> Sequence[Message]:
    """Return the bars that are let in, as one message, what is missing before them, and what is not let in."""
    match received.message:
        case ReceiveBars() as bars:
            return _checked(state, bars)
        case QuarantineRecords() as found:
            return [_quarantined(found, row) for row in range(len(found.instruments))]
        case other:
            event, is_new = _told(state, other)
            return [event] if is_new else []


def _told(state: FeedState, message: Message) -> tuple[Message, bool]:
    """Return what a feed is after it was told so, and whether that is anything new."""
    match message:
        case ReportSilence(last_tick_ns=last_tick_ns, is_silent=is_silent):
            stale = FeedStale(feed=state.feed, last_tick_ns=last_tick_ns, is_stale=is_silent)
            return stale, is_silent != state.is_stale
        case ConfigureFeed(instruments=instruments):
            configured = FeedConfigured(feed=state.feed, instruments=instruments)
            return configured, {each.id: each for each in instruments} != state.instruments
        case Listen(set=name, listens=listens):
            changed = ListenerChanged(feed=state.feed, set=name, listens=listens)
            return changed, listens != (name in state.listeners)
        case _:
            raise TypeError(f"{type(message).__name__} is nothing that a feed takes")


def evolve(state: FeedState, event: Message) -> FeedState:
    """Return the feed after an event."""
    match event:
        case BarClosed():
            for instrument in event.instruments:
                key = instrument, event.interval_ns
                state.closed_at_ns[key] = max(event.closed_at_ns, state.closed_at_ns.get(key, 0))
        case FeedConfigured(instruments=instruments):
            state.instruments = {each.id: each for each in instruments}
        case FeedStale(is_stale=is_stale):
            state.is_stale = is_stale
        case ListenerChanged(set=name, listens=listens):
            state.listeners = state.listeners | {name} if listens else state.listeners - {name}
    return state


def listeners_of(_: str, __: Message, state: FeedState) -> Sequence[str]:
    """Return the sets that get a feed's bars, as a route asks for them."""
    return sorted(state.listeners)


def _checked(state: FeedState, bars: ReceiveBars) -> list[Message]:
    reasons = [_complaint(state, bars, row) for row in range(len(bars.instruments))]
    good = np.array([reason is None for reason in reasons], np.bool_)
    events: list[Message] = [
        RecordQuarantined(
            feed=bars.feed,
            instrument=instrument,
            reason=reason.value,
            record=", ".join(f"{name} {getattr(bars, name)[row]}" for name in BAR_COLUMNS)[:500],
            event_time_ns=bars.closed_at_ns,
        )
        for row, (instrument, reason) in enumerate(zip(bars.instruments, reasons, strict=True))
        if reason is not None
    ]
    if good.any():
        events += [gap for row in np.flatnonzero(good) if (gap := _gap(state, bars, int(row))) is not None]
        events.append(_closed(bars, good))
    return events


def _quarantined(found: QuarantineRecords, row: int) -> RecordQuarantined:
    return RecordQuarantined(
        feed=found.feed,
        instrument=found.instruments[row],
        reason=found.reasons[row],
        record=found.records[row][:500],
        event_time_ns=int(found.event_time_ns[row]),
        count=int(found.counts[row]),
    )


def _gap(state: FeedState, bars: ReceiveBars, row: int) -> GapDetected | None:
    """Return what is missing between a bar and the last one before it, by the calendar of its instrument."""
    name = bars.instruments[row]
    last_ns, opened_ns = state.closed_at_ns.get((name, bars.interval_ns)), bars.closed_at_ns - bars.interval_ns
    known = state.instruments.get(name)
    if known is None or last_ns is None or opened_ns <= last_ns:
        return None
    instrument = Instrument(
        id=name, calendar=known.calendar, time_zone=known.time_zone, day_turn_minutes=known.day_turn_minutes
    )
    before, after = np.array([last_ns - bars.interval_ns]), np.array([opened_ns])
    try:
        missing = count_missing(before, after, bars.interval_ns, instrument)
    except CalendarError:
        return None  # the calendar does not reach that far: it can say nothing
    if not missing[0]:
        return None
    return GapDetected(
        feed=bars.feed, instrument=name, interval_ns=bars.interval_ns, after_ns=last_ns, before_ns=opened_ns
    )


def _closed(bars: ReceiveBars, good: NDArray[np.bool_]) -> BarClosed:
    columns: dict[str, Ints] = {name: getattr(bars, name)[good] for name in BAR_COLUMNS}
    return BarClosed(
        feed=bars.feed,
        interval_ns=bars.interval_ns,
        closed_at_ns=bars.closed_at_ns,
        instruments=[each for each, is_good in zip(bars.instruments, good, strict=True) if is_good],
        revision=bars.revision[good] if bars.revision.size else ints(np.zeros(int(good.sum()), np.int64)),
        **columns,
    )


def _complaint(state: FeedState, bars: ReceiveBars, row: int) -> Reason | None:
    instrument = bars.instruments[row]
    is_known = bars.closed_at_ns <= state.closed_at_ns.get((instrument, bars.interval_ns), 0)
    is_revision = bool(bars.revision.size and bars.revision[row] > 0)
    if is_known != is_revision:
        return Reason.OUT_OF_ORDER
    if instrument in bars.instruments[:row]:
        return Reason.DUPLICATE
    for side in ("bid", "ask"):
        opened, high, low, close = (
            int(getattr(bars, f"{side}_{name}")[row]) for name in ("open", "high", "low", "close")
        )
        if min(opened, high, low, close) <= 0:
            return Reason.NOT_POSITIVE
        if not low <= min(opened, close) <= max(opened, close) <= high:
            return Reason.HIGH_LOW
    prices = ("open", "high", "low", "close")
    if any(getattr(bars, f"bid_{name}")[row] > getattr(bars, f"ask_{name}")[row] for name in prices):
        return Reason.CROSSED
    return None


class _Snapshot(msgspec.Struct):
    closed_at_ns: list[tuple[str, int, int]]
    instruments: list[FeedInstrument]
    is_stale: bool
    listeners: list[str] = []


def to_snapshot(state: FeedState) -> bytes:
    """Return a feed's state as bytes."""
    rows = [(instrument, interval, closed) for (instrument, interval), closed in state.closed_at_ns.items()]
    instruments = sorted(state.instruments.values(), key=lambda each: each.id)
    return msgspec.json.encode(_Snapshot(sorted(rows), instruments, state.is_stale, sorted(state.listeners)))


def from_snapshot(key: str, version: int, written: bytes) -> FeedState:
    """Return the state that `to_snapshot` wrote; version 1 had the times of closes only, 2 no listeners."""
    if version == 1:
        kept = _Snapshot(msgspec.json.decode(written, type=list[tuple[str, int, int]]), [], False)
    else:
        assert version in (2, SNAPSHOT_VERSION), f"no step leads from snapshot version {version}"
        kept = msgspec.json.decode(written, type=_Snapshot)
    closed_at_ns = {(instrument, interval): closed for instrument, interval, closed in kept.closed_at_ns}
    return FeedState(
        key, closed_at_ns, {each.id: each for each in kept.instruments}, kept.is_stale, frozenset(kept.listeners)
    )


FEEDS: Context[FeedState] = Context(
    name="feeds",
    new_state=FeedState,
    decide=decide,
    evolve=evolve,
    snapshot_version=SNAPSHOT_VERSION,
    to_snapshot=to_snapshot,
    from_snapshot=from_snapshot,
)
