"""What a strategy set decides: which targets follow from bars."""

from collections.abc import Sequence

import msgspec

from apps.feeds.contracts import BarClosed
from apps.signals.contracts import (
    BarsApplied,
    DefineSet,
    RunSet,
    SetDefined,
    SetRefused,
    SetRun,
    WarmedUp,
    WarmUp,
)
from apps.signals.state import SNAPSHOT_VERSION, UNREADY, SetState, from_snapshot, members_of, to_snapshot
from banyan.context import Context
from banyan.messages import Message, Received, TimerCancelled, TimerDue, TimerSet

SLICE_TIMER = "slice"


def decide(state: SetState, received: Received) -> Sequence[Message]:
    """Return what follows from a message to a set: bars applied and targets, or a new version of the set."""
    match received.message:
        case BarClosed() as bars:
            state.check_ready()
            return _after_bars(state, bars)
        case TimerDue(name=name) if name.partition("/")[0] == SLICE_TIMER:
            state.check_ready()
            return _after_wait(state)
        case WarmUp(bars=bars):
            return _warmed(state, bars)
        case DefineSet() as wanted:
            return _defined(state, received, wanted)
        case RunSet(is_running=is_running):
            return _run(state, is_running, received.event_time_ns)
        case other:
            raise TypeError(f"{type(other).__name__} is nothing that a strategy set takes")


def warmed(state: SetState, received: Received, history: list[BarClosed]) -> Sequence[Message]:
    """Return what the first bars of a cold set give, where strategies see `history` before them."""
    warm_up = msgspec.structs.replace(received, message=WarmUp(bars=history))
    events = decide(state, warm_up)
    after = state.copy()
    for event in events:
        after = evolve(after, event)
    return [*events, *decide(after, received)]


def again(state: SetState, received: Received, given: Sequence[Message]) -> Sequence[Message]:
    """Return what a message gives that has given these events before: the same history comes before first bars."""
    history = next((each.bars for each in given if isinstance(each, WarmedUp)), None)
    if history is None or not isinstance(received.message, BarClosed):
        return decide(state, received)
    return warmed(state, received, history)


def strays(state: SetState, events: Sequence[Message]) -> bool:
    """Tell whether strategies remember something else than the events say that led here."""
    told = [each.digest for each in events if isinstance(each, BarsApplied | WarmedUp)]
    return bool(told) and told[-1] != state.digest()


def evolve(state: SetState, event: Message) -> SetState:
    """Return the set after an event: what was seen when it was decided on is not computed again."""
    match event:
        case BarsApplied(bars=bars, closed_now_ns=closed_now_ns, digest=digest):
            if state.tried is not None and state.tried_digest == digest:
                return state.adopt_tried()
            if bars is not None:
                state.take(bars)
            if closed_now_ns:
                state.show(closed_now_ns)
        case WarmedUp(bars=history):
            state.warm_up(history)
        case SetDefined():
            state.define(event)
        case SetRun(is_running=is_running, given_up=given_up):
            state.is_running = is_running
            state.pass_versions(given_up)
    return state


def _after_bars(state: SetState, bars: BarClosed) -> list[Message]:
    after = state.copy()
    changed = after.take(bars)
    state.tried, state.tried_digest = after, after.digest()
    events: list[Message] = [BarsApplied(bars=bars, closed_now_ns=0, digest=state.tried_digest)]
    if changed:
        events.append(after.targets(changed, bars.closed_at_ns))
    if after.waits_since_ns() != state.waits_since_ns():
        events.append(_slice_timer(after))
    return events


def _after_wait(state: SetState) -> list[Message]:
    closed_at_ns = state.waits_since_ns()
    if not closed_at_ns:
        return []
    after = state.copy()
    changed = after.show(closed_at_ns)
    state.tried, state.tried_digest = after, after.digest()
    events: list[Message] = [BarsApplied(bars=None, closed_now_ns=closed_at_ns, digest=state.tried_digest)]
    if changed:
        events.append(after.targets(changed, closed_at_ns))
    if after.waits_since_ns():
        events.append(_slice_timer(after))
    return events


def _slice_timer(state: SetState) -> Message:
    since_ns = state.waits_since_ns()
    return (
        TimerSet(name=SLICE_TIMER, due_ns=since_ns + state.grace_ns) if since_ns else TimerCancelled(name=SLICE_TIMER)
    )


def _warmed(state: SetState, bars: list[BarClosed]) -> list[Message]:
    if not state.is_cold:
        return []
    after = state.copy()
    after.warm_up(bars)
    return [WarmedUp(bars=bars, digest=after.digest())]


def _defined(state: SetState, received: Received, wanted: DefineSet) -> list[Message]:
    try:
        members_of(wanted.members)
    except UNREADY as problem:
        return [SetRefused(set=state.set, reason=str(problem))]
    gone = state.given_up(wanted.members)
    decided_at_ns = state.shown_at_ns(gone) or received.event_time_ns
    defined = SetDefined(
        set=state.set,
        set_version=state.version + 1,
        members=wanted.members,
        grace_ns=wanted.grace_ns,
        warms_up=wanted.warms_up,
        conversions=wanted.conversions,
    )
    return [*([state.nothing_of(gone, decided_at_ns)] if gone else []), defined]


def _run(state: SetState, is_running: bool, now_ns: int) -> list[Message]:
    """Return that a set gives targets, or none, and that it wants nothing of what it has traded and does not any more.

    While it gives none nobody is told of that, so that what was held of it would be held for ever.
    """
    gone = state.left_behind() if is_running else []
    told = [state.nothing_of(gone, now_ns)] if gone else []
    return [SetRun(set=state.set, is_running=is_running, given_up=gone), *told]


SIGNALS: Context[SetState] = Context(
    name="signals",
    new_state=SetState,
    decide=decide,
    evolve=evolve,
    snapshot_version=SNAPSHOT_VERSION,
    to_snapshot=to_snapshot,
    from_snapshot=from_snapshot,
    again=again,
    strays=strays,
)
