"""What follows from risk's verdicts, and from what brokers say that accounts hold."""

from collections.abc import Sequence

import numpy as np

from apps.execution.apart import any_waiting, flat_by_hand
from apps.execution.apart_messages import cancels, with_guards
from apps.execution.book_contracts import (
    EXTERNAL,
    AccountsReady,
    Booking,
    LiftGates,
    LotsBooked,
    Resolution,
    ResolutionAsked,
    ResolveOrder,
)
from apps.execution.contracts import (
    AccountsGated,
    AccountsReconciled,
    GateAccounts,
    GatesLifted,
    OrdersEnded,
    OrdersReleased,
    ReportKind,
)
from apps.execution.evolving import evolve, full, orders_of
from apps.execution.kernels.reports import any_gap
from apps.execution.kernels.values import amounts_of
from apps.execution.netted_orders import column, indexed
from apps.execution.order_states import OrderState
from apps.execution.people import flatten, held_though_flat, net_soon, refused, unknown_account
from apps.execution.state import ShardState
from apps.execution.tables import NULL
from apps.execution.valued import values_now
from apps.risk.contracts import OrdersApproved, OrdersRefused
from banyan.columns import Ints
from banyan.messages import Message, Received, RowsParked
from banyan.records import NameIndex

_REQUESTED = int(OrderState.REQUESTED)


def release(state: ShardState, received: Received, approved: OrdersApproved) -> Sequence[Message]:
    """Hand approved orders to the edge, in the order in which they were requested; brackets may have waited for it."""
    orders = orders_of(state, approved.instruments, approved.account, approved.instrument, approved.decision)
    requested = _requested(state, orders)
    as_asked = requested & (np.where(orders >= 0, state.orders.columns["steps"][orders], 0) == approved.steps)
    events: list[Message] = []
    if not as_asked[requested].all():
        wrong = np.flatnonzero(requested & ~as_asked)
        reason = "approved with other steps than were requested"
        events.append(RowsParked(reason=reason, rows=wrong, accounts=approved.account[wrong]))
    chosen = np.flatnonzero(as_asked)
    if not chosen.size:
        return events
    rows = state.orders.columns
    taken = orders[chosen]
    found, instrument = indexed(state.cells.columns["instrument"][rows["cell"][taken]])
    released = OrdersReleased(
        set=_book_of(state, int(taken[0])),
        terms=[state.terms_of(each) for each in found],
        account=approved.account[chosen],
        instrument=column(instrument),
        decision=approved.decision[chosen],
        steps=approved.steps[chosen],
        reduce_only=column(rows["reduce_only"][taken]),
    )
    if state.apart.entries:
        keys = list(zip(rows["cell"][taken].tolist(), rows["decision"][taken].tolist(), strict=True))
        released = with_guards(state, released, keys)
        flat = flat_by_hand(state, keys)
        events += [released, *([cancels(state, flat, is_final=True)] if flat else [])]
    else:
        events.append(released)
    if any_waiting(state, [], set(rows["cell"][taken].tolist())):
        events.append(net_soon(received))
    return events


def refuse(state: ShardState, received: Received, refused: OrdersRefused) -> Sequence[Message]:
    """End orders that risk refused: their books want no more than they have."""
    orders = orders_of(state, refused.instruments, refused.account, refused.instrument, refused.decision)
    chosen = np.flatnonzero(_requested(state, orders))
    if not chosen.size:
        return []
    rows = state.orders.rows[orders[chosen]]
    events: list[Message] = [
        OrdersEnded(
            instruments=refused.instruments,
            account=refused.account[chosen],
            instrument=column(full(refused.instrument, refused.account)[chosen]),
            decision=refused.decision[chosen],
            left_steps=rows["steps"].copy(),
            kind=np.full(chosen.size, ReportKind.DENIED, np.int64),
            code=refused.reason[chosen],
        )
    ]
    shard = state.shard()
    keys = list(zip(rows["cell"].tolist(), rows["decision"].tolist(), strict=True))
    if any_gap(shard, rows["cell"].copy()) or any_waiting(state, keys, {cell for cell, _ in keys}):
        events.append(net_soon(received))
    return events


def reconcile(state: ShardState, received: Received, told: AccountsReconciled) -> Sequence[Message]:
    """Book what brokers hold beyond attributed fills as `external`, and let these accounts trade."""
    rows = state.rows_of(told.accounts)
    events: list[Message] = []
    if (rows < 0).any():
        foreign = np.flatnonzero(rows < 0)
        reason = "the account is not open in this shard"
        events.append(RowsParked(reason=reason, rows=foreign, accounts=told.accounts[foreign]))
    numbers = told.accounts[rows >= 0]
    booked = _differences(state, told, rows[rows >= 0])
    after = state
    if booked is not None:
        events.append(booked)
        after = evolve(state.copy(), booked)
    if received.event_time_ns > state.gated_at_ns:
        events.append(AccountsReady(account=numbers))
    if booked is not None:
        cells = after.cells_named(booked.instruments, booked.account, booked.instrument)
        events += values_now(after, received.event_time_ns, cells)
    events.append(net_soon(received))
    return events + _closed_again(after, received, numbers)


def _closed_again(state: ShardState, received: Received, numbers: Ints) -> list[Message]:
    """Return what closes, once more, what accounts hold that are held at zero and may trade now."""
    if received.event_time_ns <= state.gated_at_ns:
        return []
    left = held_though_flat(state, state.rows_of(numbers))
    if not left:
        return []
    after = evolve(state.copy(), AccountsReady(account=numbers))
    events: list[Message] = []
    for instrument, held in left:
        events += flatten(after, received, held, instrument, "what was to close it came to nothing")
    return events


def gate(state: ShardState, received: Received, command: GateAccounts) -> Sequence[Message]:
    """Let no account trade until its broker has said anew what it holds."""
    numbers = state.accounts.columns["number"].copy()
    if not numbers.size:
        return []
    return [
        AccountsGated(
            account=numbers,
            gated_at_ns=received.received_at_ns,
            reason=command.reason,
            known_fills=command.known_fills,
        )
    ]


def lift_gates(state: ShardState, command: LiftGates) -> Sequence[Message]:
    """Tell the edge that accounts may trade again."""
    ours = command.accounts[state.rows_of(command.accounts) >= 0]
    return [GatesLifted(account=ours, reason=command.reason)] if ours.size else []


def resolve(state: ShardState, command: ResolveOrder) -> Sequence[Message]:
    """Tell the edge what a person says of an order."""
    problem = unknown_account(state, command.account)
    if not problem and command.how not in list(Resolution):
        problem = f"how={command.how}: there is no such resolution"
    if problem:
        return [refused("resolve-order", command.account, problem)]
    asked = ResolutionAsked(
        account=command.account, instrument=command.instrument, decision=command.decision, how=command.how,
        reason=command.reason,
    )  # fmt: skip
    return [asked]


def _book_of(state: ShardState, order: int) -> str:
    """Return the name of the book that an order's first share is of."""
    share = int(state.orders.columns["first_share"][order])
    if share == NULL:
        return ""
    return state.books.names[int(state.lines.columns["book"][state.shares.columns["line"][share]])]


def _requested(state: ShardState, orders: Ints) -> Ints:
    if not state.orders.rows.size:
        return np.zeros(orders.size, bool)
    return (orders >= 0) & (state.orders.columns["state"][orders] == _REQUESTED)


def _differences(state: ShardState, told: AccountsReconciled, rows: Ints) -> LotsBooked | None:
    """Return what is to be booked so that accounts (rows) hold what is told of them, None if they do."""
    cells, numbers = state.cells.columns, state.accounts.columns["number"]
    ours = np.flatnonzero(np.isin(cells["account"], rows) & (cells["held"] != 0))
    theirs = np.flatnonzero(np.isin(told.account, numbers[rows]))
    names = sorted({*state.instruments.names, *told.instruments})
    places = NameIndex(names).numbers
    of_ours, of_theirs = (
        np.array([places[name] for name in listed], np.int64)[chosen]
        for listed, chosen in (
            (state.instruments.names, cells["instrument"][ours]),
            (told.instruments, full(told.instrument, told.account)[theirs]),
        )
    )
    account = np.concatenate([numbers[cells["account"][ours]], told.account[theirs]])
    place = np.concatenate([of_ours, of_theirs])
    steps = np.concatenate([-cells["held"][ours], told.steps[theirs]])
    account, place, steps = _summed(account, place, steps)
    if not steps.size:
        return None
    used, instrument = np.unique(place, return_inverse=True)
    named = [names[each] for each in used.tolist()]
    known = np.array([state.instruments.known(name) for name in named], np.int64)[instrument]
    price = np.zeros(steps.size, np.int64)
    amount = np.zeros(steps.size, np.int64)
    quoted = known >= 0
    quotes = state.instrument_rows.rows[known[quoted]]
    price[quoted] = (quotes["bid_ticks"] + quotes["ask_ticks"]) * quotes["tick_e9"] // 2
    owners = state.rows_of(account)
    amount[quoted] = amounts_of(state.shard(), known[quoted], owners[quoted], steps[quoted], price[quoted])
    return LotsBooked(
        kind=Booking.RECONCILED,
        books=[EXTERNAL],
        instruments=named,
        account=account,
        instrument=column(instrument.astype(np.int64)),
        book=column(np.zeros(steps.size, np.int64)),
        steps=steps,
        price_e9=price,
        amount_micro=amount,
    )


def _summed(account: Ints, place: Ints, steps: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the sums of `steps` by account and place, in the order of both, but for those that are 0."""
    order = np.lexsort((place, account))
    account, place, steps = account[order], place[order], steps[order]
    begins = np.ones(order.size, bool)
    begins[1:] = (account[1:] != account[:-1]) | (place[1:] != place[:-1])
    first = np.flatnonzero(begins)
    sums = np.add.reduceat(steps, first) if first.size else steps
    found = first[sums != 0]
    return account[found], place[found], sums[sums != 0]
