"""What risk decides for a shard of accounts: which orders may be sent, and when an account has to stop."""

from collections.abc import Sequence

from apps.execution.contracts import (
    AccountOpened,
    AccountValued,
    OrdersEnded,
    OrdersFilled,
    OrdersRequested,
    OrdersUnknown,
    PositionChanged,
)
from apps.risk.contracts import (
    AccountNoted,
    AllowInstruments,
    InstrumentsAllowed,
    LimitsChanged,
    OrdersApproved,
    OrdersRefused,
    PositionsNoted,
    QuotesNoted,
    ReservationsCut,
    SessionsChanged,
    SetLimits,
    SetSessions,
    SetTradingState,
    StopsLifted,
    TradingStateChanged,
    ValuesNoted,
)
from apps.risk.orders import (
    cut_reservations,
    decide_cut,
    decide_requested,
    note_quotes,
    pass_refused,
    reserve_approved,
)
from apps.risk.people import (
    allow_instruments,
    change_limits,
    change_sessions,
    change_state,
    decide_allowed,
    decide_limits,
    decide_sessions,
    decide_state,
)
from apps.risk.state import SNAPSHOT_VERSION, RiskState, from_snapshot, to_snapshot
from apps.risk.values import (
    decide_opened,
    decide_period_over,
    decide_positions,
    decide_valued,
    lift_stops,
    note_account,
    note_positions,
    note_values,
    stop_accounts,
)
from banyan.context import Context
from banyan.messages import Message, Received, TimerDue


def decide(state: RiskState, received: Received) -> Sequence[Message]:
    """Return what follows from a message to a shard."""
    events: Sequence[Message]
    match received.message:
        case OrdersRequested() as wanted:
            events = decide_requested(state, received, wanted)
        case OrdersFilled() | OrdersEnded() as cause:
            events = decide_cut(state, cause)
        case OrdersUnknown():
            events = []  # what may have arrived stays reserved
        case PositionChanged() as changed:
            events = decide_positions(state, changed)
        case AccountValued() as valued:
            events = decide_valued(state, valued)
        case AccountOpened() as opened:
            events = decide_opened(opened)
        case TimerDue(due_ns=due_ns):
            events = decide_period_over(state, due_ns)
        case command:
            events = _commanded(state, command, received.event_time_ns)
    return events


def _commanded(state: RiskState, command: Message, at_ns: int) -> Sequence[Message]:
    match command:
        case SetLimits():
            return decide_limits(state, command, at_ns)
        case SetTradingState():
            return decide_state(command)
        case AllowInstruments():
            return decide_allowed(command)
        case SetSessions():
            return decide_sessions(command)
    raise TypeError(f"{type(command).__name__} is nothing that risk takes")


def evolve(state: RiskState, event: Message) -> RiskState:
    """Return the shard after an event."""
    match event:
        case QuotesNoted():
            note_quotes(state, event)
        case OrdersApproved():
            reserve_approved(state, event)
        case OrdersRefused():
            pass_refused(state, event)
        case ReservationsCut():
            cut_reservations(state, event)
        case PositionsNoted():
            note_positions(state, event)
        case ValuesNoted():
            note_values(state, event)
        case StopsLifted():
            lift_stops(state, event)
        case TradingStateChanged(stop=stop) if stop:
            stop_accounts(state, event)
        case _:
            _changed(state, event)
    return state


def _changed(state: RiskState, event: Message) -> None:
    match event:
        case TradingStateChanged():
            change_state(state, event)
        case AccountNoted():
            note_account(state, event)
        case LimitsChanged():
            change_limits(state, event)
        case InstrumentsAllowed():
            allow_instruments(state, event)
        case SessionsChanged():
            change_sessions(state, event)


RISK: Context[RiskState] = Context(
    name="risk",
    new_state=RiskState,
    decide=decide,
    evolve=evolve,
    snapshot_version=SNAPSHOT_VERSION,
    to_snapshot=to_snapshot,
    from_snapshot=from_snapshot,
)
