"""What execution decides for a shard of accounts: from targets, verdicts, reports and people to orders and books."""

from collections.abc import Sequence

from apps.execution.approved import gate, lift_gates, reconcile, refuse, release, resolve
from apps.execution.book_contracts import ConfigureAccount, LiftGates, MarkPrices, ResolveOrder
from apps.execution.by_hand import cancel_order, place_manual
from apps.execution.contracts import (
    AccountsReconciled,
    CancelOrder,
    ConfigureSet,
    Flatten,
    GateAccounts,
    OpenAccount,
    OrdersReported,
    PlaceManualOrder,
    Resume,
    Subscribe,
)
from apps.execution.evolving import evolve
from apps.execution.marked import mark_prices
from apps.execution.people import (
    configure_account,
    configure_set,
    flatten,
    open_account,
    resume,
    subscribe,
)
from apps.execution.reported import decide_reports
from apps.execution.state import SNAPSHOT_VERSION, ShardState, from_snapshot, to_snapshot
from apps.execution.targeting import decide_target, decide_waiting, is_followed
from apps.risk.contracts import OrdersApproved, OrdersRefused, TradingStateChanged
from apps.signals.contracts import TargetSet
from banyan.context import Context
from banyan.messages import Message, Received, TimerDue


def decide(state: ShardState, received: Received) -> Sequence[Message]:
    """Return what follows from a message to a shard."""
    events: Sequence[Message]
    match received.message:
        case TargetSet() as target:
            events = decide_target(state, target, received.event_time_ns)
        case OrdersApproved() as approved:
            events = release(state, received, approved)
        case OrdersRefused() as refused:
            events = refuse(state, received, refused)
        case OrdersReported() as report:
            events = decide_reports(state, received, report)
        case AccountsReconciled() as told:
            events = reconcile(state, received, told)
        case TimerDue():
            events = decide_waiting(state, received.event_time_ns)
        case TradingStateChanged(flatten=True, accounts=accounts, instrument=instrument, reason=reason):
            events = flatten(state, received, accounts, instrument, reason)
        case TradingStateChanged():
            events = []
        case _:
            events = _commanded(state, received)
    return events


def is_urgent(state: ShardState, message: Message) -> bool:
    """Tell whether orders may follow from a message: prices, and a target that nobody here follows, are to be known."""
    if isinstance(message, MarkPrices):
        return False
    return not isinstance(message, TargetSet) or is_followed(state, message)


def _commanded(state: ShardState, received: Received) -> Sequence[Message]:
    events: Sequence[Message]
    match received.message:
        case OpenAccount() as command:
            events = open_account(state, received, command)
        case ConfigureSet() as command:
            events = configure_set(state, command)
        case ConfigureAccount() as command:
            events = configure_account(state, command)
        case Subscribe() as command:
            events = subscribe(state, received, command)
        case PlaceManualOrder() as command:
            events = place_manual(state, received, command)
        case CancelOrder() as command:
            events = cancel_order(state, command)
        case Flatten(accounts=accounts, instrument=instrument, reason=reason):
            events = flatten(state, received, accounts, instrument, reason)
        case Resume() as command:
            events = resume(state, received, command)
        case GateAccounts() | LiftGates() | ResolveOrder():
            events = _passed_on(state, received)
        case MarkPrices() as command:
            events = mark_prices(state, received, command)
        case other:
            raise TypeError(f"{type(other).__name__} is nothing that execution takes")
    return events


def _passed_on(state: ShardState, received: Received) -> Sequence[Message]:
    """Return what the edge is told of accounts and orders that it looks after."""
    match received.message:
        case GateAccounts() as command:
            return gate(state, received, command)
        case LiftGates() as command:
            return lift_gates(state, command)
        case ResolveOrder() as command:
            return resolve(state, command)
        case other:
            raise TypeError(f"{type(other).__name__} is nothing that execution passes on")


EXECUTION: Context[ShardState] = Context(
    name="execution",
    new_state=ShardState,
    decide=decide,
    evolve=evolve,
    snapshot_version=SNAPSHOT_VERSION,
    to_snapshot=to_snapshot,
    from_snapshot=from_snapshot,
    is_urgent=is_urgent,
)
