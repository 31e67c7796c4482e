"""What a feed decides: which bars from outside are true."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.feeds.contracts import BAR_COLUMNS, BarClosed, ReceiveBars, RecordQuarantined
from banyan.columns import Ints, ints
from banyan.context import Context
from banyan.messages import Message, Received

SNAPSHOT_VERSION = 1


@dataclass(slots=True)
class FeedState:
    """A feed: when the last bar of each (instrument, interval) closed, ns since 1970 UTC."""

    feed: str
    closed_at_ns: dict[tuple[str, int], int] = field(default_factory=dict)


def decide(state: FeedState, received: Received) -> Sequence[Message]:
    """Return the bars that are let in, as one message, and a quarantined record for each that is not."""
    match received.message:
        case ReceiveBars() as bars:
            return _checked(state, bars)
        case other:
            raise TypeError(f"{type(other).__name__} is nothing that a feed takes")


def evolve(state: FeedState, event: Message) -> FeedState:
    """Return the feed after an event."""
    if isinstance(event, BarClosed):
        for instrument in event.instruments:
            state.closed_at_ns[instrument, event.interval_ns] = event.closed_at_ns
    return state


def _checked(state: FeedState, bars: ReceiveBars) -> list[Message]:
    reasons = [_complaint(state, bars, row) for row in range(len(bars.instruments))]
    good = np.array([reason is None for reason in reasons])
    events: list[Message] = [
        RecordQuarantined(
            feed=bars.feed,
            instrument=instrument,
            reason=reason,
            record=", ".join(f"{name} {getattr(bars, name)[row]}" for name in BAR_COLUMNS)[:500],
            event_time_ns=bars.closed_at_ns,
        )
        for row, (instrument, reason) in enumerate(zip(bars.instruments, reasons, strict=True))
        if reason is not None
    ]
    if good.any():
        events.append(_closed(bars, good))
    return events


def _closed(bars: ReceiveBars, good: NDArray[np.bool_]) -> BarClosed:
    columns: dict[str, Ints] = {name: getattr(bars, name)[good] for name in BAR_COLUMNS}
    return BarClosed(
        feed=bars.feed,
        interval_ns=bars.interval_ns,
        closed_at_ns=bars.closed_at_ns,
        instruments=[each for each, is_good in zip(bars.instruments, good, strict=True) if is_good],
        revision=ints(np.zeros(int(good.sum()), np.int64)),
        **columns,
    )


def _complaint(state: FeedState, bars: ReceiveBars, row: int) -> str | None:
    instrument = bars.instruments[row]
    if bars.closed_at_ns <= state.closed_at_ns.get((instrument, bars.interval_ns), 0):
        return "out-of-order"
    if instrument in bars.instruments[:row]:
        return "duplicate"
    for side in ("bid", "ask"):
        opened, high, low, close = (
            int(getattr(bars, f"{side}_{name}")[row]) for name in ("open", "high", "low", "close")
        )
        if min(opened, high, low, close) <= 0:
            return "price"
        if not low <= min(opened, close) <= max(opened, close) <= high:
            return "range"
    if any(getattr(bars, f"bid_{name}")[row] > getattr(bars, f"ask_{name}")[row] for name in ("open", "close")):
        return "crossed"
    return None


def to_snapshot(state: FeedState) -> bytes:
    """Return a feed's state as bytes."""
    rows = [(instrument, interval, closed) for (instrument, interval), closed in state.closed_at_ns.items()]
    return msgspec.json.encode(sorted(rows))


def from_snapshot(key: str, version: int, written: bytes) -> FeedState:
    """Return the state that `to_snapshot` wrote."""
    assert version == SNAPSHOT_VERSION, f"no step leads from snapshot version {version}"
    rows = msgspec.json.decode(written, type=list[tuple[str, int, int]])
    return FeedState(key, {(instrument, interval): closed for instrument, interval, closed in rows})


FEEDS: Context[FeedState] = Context(
    name="feeds",
    new_state=FeedState,
    decide=decide,
    evolve=evolve,
    snapshot_version=SNAPSHOT_VERSION,
    to_snapshot=to_snapshot,
    from_snapshot=from_snapshot,
)
