"""What follows from orders that people place and cancel, in the book `manual`."""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec.structs import replace

from apps.execution.apart import without
from apps.execution.apart_messages import Order, cancels, requests_apart
from apps.execution.apart_state import Entry
from apps.execution.book_contracts import MANUAL, ManualTargeted, SkipReason, TargetsSkipped
from apps.execution.contracts import CancelOrder, OrdersRequested, OrderType, PlaceManualOrder
from apps.execution.crossed import crosses
from apps.execution.evolving import evolve
from apps.execution.kernels.reasons import OF_ACCOUNT
from apps.execution.kernels.records import BOOK_MANUAL
from apps.execution.kernels.values import step_values
from apps.execution.netted_orders import NO_COLUMN, column, net, quoted_before, requests
from apps.execution.order_states import OrderState
from apps.execution.people import refused, unknown_account
from apps.execution.state import ShardState
from apps.execution.tickets import open_orders_of, parts_by_hand
from banyan.columns import ints
from banyan.messages import Message, Received
from trading.targets import FOK, GTC, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT

_PLACE, _CANCEL = "place-manual-order", "cancel-order"


def place_manual(state: ShardState, received: Received, command: PlaceManualOrder) -> Sequence[Message]:
    """Let the book `manual` want so many steps more, and order what the account's books then come to.

    A limit or a stop is an order of the book's own, which is netted with nobody's; any number may stand at a time.
    """
    problem = unknown_account(state, command.account) or _wrong_with(command)
    if problem:
        return [refused(_PLACE, command.account, problem)]
    reason = _obstacle(state, command)
    if reason is not None:
        return [_skip(command, reason)]
    after = evolve(state.copy(), _targeted(command, 0))
    cell = _known_cell(after, command.account, command.terms.id)
    before = state.line_of(cell, BOOK_MANUAL) if 0 <= cell < state.cells.count else -1
    working = command.steps + (int(state.lines.rows[before].working) if before >= 0 else 0)
    if state.accounts.rows[state.row_of[command.account]].hedging:
        return [_targeted(command, working), *_of_tickets(after, received, command, cell)]
    if command.order_type == MARKET:
        return _netted(after, received, command, (cell, working))
    return [_targeted(command, working), _own_order(after, received, command, cell)]


def cancel_order(state: ShardState, command: CancelOrder) -> Sequence[Message]:
    """Ask the edge to cancel an order, whosoever book it is of."""
    problem = unknown_account(state, command.account)
    if problem:
        return [refused(_CANCEL, command.account, problem)]
    cell = _known_cell(state, command.account, command.instrument)
    key = cell, command.decision
    if key not in state.apart.guards:
        found = [at for at in open_orders_of(state, cell) if state.orders.rows[at].decision == command.decision]
        name = f"order {command.decision} of account {command.account} in {command.instrument}"
        if not found:
            return [refused(_CANCEL, command.account, f"{name} is not open")]
        if state.orders.rows[found[0]].state == OrderState.REQUESTED:
            return [refused(_CANCEL, command.account, f"{name} is not sent yet: ask again in a moment")]
    return [cancels(state, [key], is_final=True)]


def _wrong_with(command: PlaceManualOrder) -> str:
    """Return what of an order cannot be, "" where all can."""
    kind, in_force = command.order_type, command.time_in_force
    no_limit, no_stop = command.limit_ticks <= 0, command.stop_ticks <= 0
    has_quote = 0 < command.bid_ticks <= command.ask_ticks and command.steps != 0 and command.terms.tick_e9 > 0
    problems = {
        "an order needs a quote and a quantity": not has_quote,
        f"order_type={kind}: a person orders at market, or by limit, stop or stop-limit": not MARKET
        <= kind
        <= STOP_LIMIT,
        "a limit order needs a limit above 0": kind in (LIMIT, STOP_LIMIT) and no_limit,
        "a stop order needs a stop above 0": kind in (STOP, STOP_LIMIT) and no_stop,
        f"time_in_force={in_force}: it is no number of those there are": not GTC <= in_force <= GTD,
        "a time to expire at goes with GTD, and with nothing else": (in_force == GTD) != (command.expires_ns > 0),
        "an order at market is not for a day or until a time": kind == MARKET and in_force not in (GTC, IOC, FOK),
    }
    return next((problem for problem, stands in problems.items() if stands), "")


def _obstacle(state: ShardState, command: PlaceManualOrder) -> SkipReason | None:
    account = state.accounts.rows[state.row_of[command.account]]
    cell_at = _known_cell(state, command.account, command.terms.id)
    cell = state.cells.rows[cell_at] if cell_at >= 0 else None
    line = state.line_of(cell_at, BOOK_MANUAL) if cell_at >= 0 else -1
    held = int(state.lines.rows[line].held) if line >= 0 else 0
    closes = held * command.steps < 0 and abs(command.steps) <= abs(held)
    obstacles = {
        SkipReason.NOT_RECONCILED: not account.ready,
        SkipReason.NO_CONVERSION: not _is_converted(state, command),
        SkipReason.FLATTENED: account.flattened or (cell is not None and cell.flattened),
        SkipReason.FROZEN: cell is not None and cell.frozen,
        SkipReason.CLOSE_ONLY: account.close_only and not closes,
        SkipReason.WAITS_FOR_ORDER: command.order_type != MARKET and line >= 0 and _gap(state, line) != 0,
        SkipReason.BELOW_MIN: abs(command.steps) < command.terms.lot_min_steps and held + command.steps != 0,
    }
    return next((reason for reason, stands in obstacles.items() if stands), None)


def _gap(state: ShardState, line: int) -> int:
    """Return what a book is short of what it wants, with what is on its way."""
    row = state.lines.rows[line]
    return int(row.working - row.held - row.open - row.unknown)


def _is_converted(state: ShardState, command: PlaceManualOrder) -> bool:
    """Tell whether the order's currency is the account's, or there is a rate between them."""
    account = state.accounts.rows[state.row_of[command.account]]
    ours, via = int(account.currency), int(account.via) - 1
    if state.currencies.known(command.terms.currency) == ours:
        return True
    after = evolve(state.copy(), _targeted(command, 0))  # its own quote may be the rate
    theirs = after.currencies.known(command.terms.currency)
    rates = after.rates(after.instrument_rows.columns)
    return bool(rates[theirs, ours] > 0.0 or (via >= 0 and rates[theirs, via] * rates[via, ours] > 0.0))


def _known_cell(state: ShardState, account: int, name: str) -> int:
    instrument = state.instruments.known(name)
    return int(state.cell_rows[instrument, state.row_of[account]]) if instrument >= 0 else -1


def _netted(
    after: ShardState, received: Received, command: PlaceManualOrder, wanted: tuple[int, int]
) -> list[Message]:  # fmt: skip
    cell, steps = wanted
    shard = after.shard()
    working = after.lines.columns["working"].copy()
    if after.apart.lines:
        without(
            after, working, NO_COLUMN, NO_COLUMN
        )  # an order of nobody's own is netted with no book that trades apart
    line = after.line_of(cell, BOOK_MANUAL)
    working[line] = steps
    netted = net(after, shard, working, np.array([cell], np.int64))
    events: list[Message] = [_targeted(command, int(working[line]))]
    if netted.status[0] != SkipReason.NONE:
        events.append(_skip(command, SkipReason(netted.status[0])))
    events += crosses(after, shard, netted, received.event_time_ns)
    events += requests(after, shard, netted, received.event_time_ns, set_name=MANUAL)
    return events


def _of_tickets(
    after: ShardState, received: Received, command: PlaceManualOrder, cell: int
) -> Iterator[OrdersRequested]:  # fmt: skip
    """Yield what an order comes to on a hedging account: closes of tickets the other way, and a ticket of its own."""
    line = after.line_of(cell, BOOK_MANUAL)
    limit = command.limit_ticks if command.order_type != OrderType.STOP else 0
    stop = command.stop_ticks if command.order_type != OrderType.LIMIT else 0
    entry = Entry(line, command.order_type, limit, stop, command.time_in_force, command.expires_ns, None)
    first = int(after.cells.rows[cell].decision) + 1
    orders = [
        Order(line, decision, part.steps, replace(entry, ticket=part.ticket or decision), part.closes)
        for decision, part in enumerate(parts_by_hand(after, line, command.steps), first)
    ]
    yield from requests_apart(after, after.shard(), orders, received.event_time_ns)


def _own_order(after: ShardState, received: Received, command: PlaceManualOrder, cell: int) -> OrdersRequested:
    shard, place = after.shard(), after.cells.rows[cell]
    one = ints([0])
    return OrdersRequested(
        set=MANUAL,
        decided_at_ns=received.event_time_ns,
        terms=[command.terms],
        bid_ticks=ints([command.bid_ticks]),
        ask_ticks=ints([command.ask_ticks]),
        account=ints([command.account]),
        instrument=column(one),
        decision=ints([int(place.decision) + 1]),
        steps=ints([command.steps]),
        step_value_micro=step_values(shard, ints([int(place.instrument)]), ints([int(place.account)])),
        order_type=ints([command.order_type]),
        limit_ticks=column(ints([command.limit_ticks if command.order_type != OrderType.STOP else 0])),
        stop_ticks=column(ints([command.stop_ticks if command.order_type != OrderType.LIMIT else 0])),
        time_in_force=column(ints([command.time_in_force])),
        expires_ns=column(ints([command.expires_ns])),
        quoted_at_ns=quoted_before(shard.instruments[[int(place.instrument)]], received.event_time_ns),
    )


def _targeted(command: PlaceManualOrder, working_steps: int) -> ManualTargeted:
    return ManualTargeted(
        account=command.account,
        terms=command.terms,
        bid_ticks=command.bid_ticks,
        ask_ticks=command.ask_ticks,
        working_steps=working_steps,
        quoted_at_ns=command.quoted_at_ns,
    )


def _skip(command: PlaceManualOrder, reason: SkipReason) -> TargetsSkipped:
    return TargetsSkipped(
        set=MANUAL,
        instruments=[command.terms.id],
        account=ints([command.account]),
        instrument=ints(),
        reason=ints([reason]),
        level=ints([OF_ACCOUNT]),
    )
