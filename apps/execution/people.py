"""What follows from what people and programs ask: accounts, settings, manual orders, flatten and resume."""

from collections.abc import Sequence

import numpy as np

from apps.execution.book_contracts import (
    FLATTEN,
    MANUAL,
    AccountConfigured,
    AccountsFlattened,
    AccountsResumed,
    CommandRefused,
    ConfigureAccount,
    ManualTargeted,
    SetConfigured,
    SkipReason,
    Subscribed,
    TargetsSkipped,
)
from apps.execution.contracts import (
    AccountOpened,
    AccountValued,
    ConfigureSet,
    OpenAccount,
    OrderType,
    PlaceManualOrder,
    Resume,
    Subscribe,
)
from apps.execution.evolving import evolve
from apps.execution.kernels.reasons import OF_ACCOUNT
from apps.execution.kernels.records import BOOK_MANUAL
from apps.execution.netted_orders import crosses, net, requests
from apps.execution.settings_chain import refusal_of
from apps.execution.state import ShardState
from banyan.columns import Ints, ints
from banyan.messages import Message, Received, TimerSet

NET_TIMER = "net"
"""Comes due when something may stand no longer in the way of an order that had to wait."""


def net_soon(received: Received) -> TimerSet:
    """Return the wish to look again, as soon as what was decided holds."""
    return TimerSet(name=NET_TIMER, due_ns=received.received_at_ns)


def open_account(state: ShardState, received: Received, command: OpenAccount) -> Sequence[Message]:
    """Open an account, gated until it is reconciled."""
    if command.number in state.row_of:
        return [_refused("open-account", command.number, f"account {command.number} is open already")]
    if command.number < 0 or command.leverage_e9 <= 0 or command.fee_rate_e9 < 0:
        return [_refused("open-account", command.number, "number and fee rate must not be negative, leverage above 0")]
    balance = ints([command.deposit_micro])
    return [
        AccountOpened(
            account=command.account,
            number=command.number,
            client=command.client,
            broker=command.broker,
            currency=command.currency,
            leverage_e9=command.leverage_e9,
            hedging=command.hedging,
            time_zone=command.time_zone,
            balance_micro=command.deposit_micro,
            fee_rate_e9=command.fee_rate_e9,
        ),
        AccountValued(
            valued_at_ns=received.event_time_ns,
            account=ints([command.number]),
            balance_micro=balance,
            equity_micro=balance,
            margin_micro=ints([0]),
            gross_micro=ints([0]),
            net_micro=ints([0]),
        ),
    ]


def configure_set(command: ConfigureSet) -> Sequence[Message]:
    """Set what holds for a set."""
    problem = refusal_of(command) or _wrong_with(command)
    return [_refused("configure-set", -1, problem) if problem else SetConfigured(settings=command)]


def configure_account(state: ShardState, command: ConfigureAccount) -> Sequence[Message]:
    """Set what holds for an account."""
    problem = refusal_of(command) or _unknown(state, command.account)
    return [_refused("configure-account", command.account, problem) if problem else AccountConfigured(settings=command)]


def subscribe(state: ShardState, received: Received, command: Subscribe) -> Sequence[Message]:
    """Let an account follow a set; one that converges takes up the set's last target at once."""
    problem = refusal_of(command) or _unknown(state, command.account) or _beyond_equity(state, command)
    if problem:
        return [_refused("subscribe", command.account, problem)]
    events: list[Message] = [Subscribed(settings=command)]
    if command.join == "converge":
        events.append(net_soon(received))
    return events


def place_manual(state: ShardState, received: Received, command: PlaceManualOrder) -> Sequence[Message]:
    """Let the book `manual` want so many steps more, and order what the account's books then come to."""
    problem = _unknown(state, command.account)
    if problem:
        return [_refused("place-manual-order", command.account, problem)]
    if not 0 < command.bid_ticks <= command.ask_ticks or command.steps == 0 or command.terms.tick_e9 <= 0:
        return [_refused("place-manual-order", command.account, "an order needs a quote and a quantity")]
    reason = _manual_obstacle(state, command)
    if reason is not None:
        return [_manual_skip(command, reason)]
    return _manual_order(state, received, command)


def flatten(state: ShardState, received: Received, numbers: Ints, instrument: str, reason: str) -> Sequence[Message]:
    """Close what the books of accounts hold, and hold them at zero."""
    shard = state.shard()
    rows = _chosen(state, numbers)
    events: list[Message] = [
        AccountsFlattened(account=state.accounts.columns["number"][rows], instrument=instrument, reason=reason)
    ]
    wanted = np.isin(state.cells.columns["account"], rows) & (state.cells.columns["frozen"] == 0)
    wanted &= state.accounts.columns["ready"][state.cells.columns["account"]] != 0
    if instrument:
        wanted &= state.cells.columns["instrument"] == state.instruments.known(instrument)
    apart = np.zeros(wanted.size, bool)
    apart[state.lines.columns["cell"][sorted(state.apart.lines)]] = True
    if (apart & wanted).any():
        events.append(net_soon(received))  # what trades apart is closed when these books want nothing any more
    cells = np.flatnonzero(wanted & ~apart)
    netted = net(state, shard, state.lines.columns["working"].copy(), cells, flattens=True)
    events += crosses(state, shard, netted)
    events += requests(state, shard, netted, received.event_time_ns, set_name=FLATTEN, reduce_only=True)
    return events


def resume(state: ShardState, received: Received, command: Resume) -> Sequence[Message]:
    """Let accounts trade again."""
    numbers = state.accounts.columns["number"][_chosen(state, command.accounts)]
    return [AccountsResumed(account=numbers, instrument=command.instrument), net_soon(received)]


def _manual_obstacle(state: ShardState, command: PlaceManualOrder) -> SkipReason | None:
    account = state.accounts.rows[state.row_of[command.account]]
    cell_at = _known_cell(state, command)
    cell = state.cells.rows[cell_at] if cell_at >= 0 else None
    line = state.line_of(cell_at, BOOK_MANUAL) if cell_at >= 0 else -1
    held = int(state.lines.rows[line].held) if line >= 0 else 0
    closes = held * command.steps < 0 and abs(command.steps) <= abs(held)
    obstacles = {
        SkipReason.ENTRY_NOT_SUPPORTED: command.order_type != OrderType.MARKET,
        SkipReason.HEDGING_NOT_SUPPORTED: account.hedging,
        SkipReason.NOT_RECONCILED: not account.ready,
        SkipReason.NO_CONVERSION: not _is_converted(state, command),
        SkipReason.FLATTENED: account.flattened or (cell is not None and cell.flattened),
        SkipReason.FROZEN: cell is not None and cell.frozen,
        SkipReason.CLOSE_ONLY: account.close_only and not closes,
        SkipReason.BELOW_MIN: abs(command.steps) < command.terms.lot_min_steps and held + command.steps != 0,
    }
    return next((reason for reason, stands in obstacles.items() if stands), None)


def _is_converted(state: ShardState, command: PlaceManualOrder) -> bool:
    """Tell whether the order's currency is the account's, or there is a rate between them."""
    ours = int(state.accounts.rows[state.row_of[command.account]].currency)
    theirs = state.currencies.known(command.terms.currency)
    if theirs == ours:
        return True
    after = evolve(state.copy(), _manual(command, 0))  # its own quote may be the rate
    theirs = after.currencies.known(command.terms.currency)
    return bool(after.rates(after.instrument_rows.columns)[theirs, ours] > 0.0)


def _known_cell(state: ShardState, command: PlaceManualOrder) -> int:
    instrument = state.instruments.known(command.terms.id)
    return int(state.cell_rows[instrument, state.row_of[command.account]]) if instrument >= 0 else -1


def _manual_order(state: ShardState, received: Received, command: PlaceManualOrder) -> list[Message]:
    after = evolve(state.copy(), _manual(command, 0))
    cell = _known_cell(after, command)
    line = after.line_of(cell, BOOK_MANUAL)
    shard = after.shard()
    working = after.lines.columns["working"].copy()
    before = state.line_of(cell, BOOK_MANUAL) if cell < state.cells.count else -1
    working[line] = command.steps + (int(state.lines.rows[before].working) if before >= 0 else 0)
    netted = net(after, shard, working, np.array([cell], np.int64))
    events: list[Message] = [_manual(command, int(working[line]))]
    if netted.status[0] != SkipReason.NONE:
        events.append(_manual_skip(command, SkipReason(netted.status[0])))
    events += crosses(after, shard, netted)
    events += requests(after, shard, netted, received.event_time_ns, set_name=MANUAL)
    return events


def _manual(command: PlaceManualOrder, working_steps: int) -> ManualTargeted:
    return ManualTargeted(
        account=command.account,
        terms=command.terms,
        bid_ticks=command.bid_ticks,
        ask_ticks=command.ask_ticks,
        working_steps=working_steps,
    )


def _manual_skip(command: PlaceManualOrder, reason: SkipReason) -> TargetsSkipped:
    return TargetsSkipped(
        set=MANUAL,
        instruments=[command.terms.id],
        account=ints([command.account]),
        instrument=ints(),
        reason=ints([reason]),
        level=ints([OF_ACCOUNT]),
    )


def _chosen(state: ShardState, numbers: Ints) -> Ints:
    if numbers.size == 0:
        return np.arange(state.accounts.count)
    rows = state.rows_of(numbers)
    return rows[rows >= 0]


def _wrong_with(command: ConfigureSet) -> str:
    for terms in (*command.terms, *command.conversions):
        if min(terms.tick_e9, terms.lot_step_e9, terms.contract_e9) <= 0 or terms.lot_min_steps < 0:
            return f"{terms.id}: an instrument that is traded live has a tick, a lot step and a contract size"
    if not command.sizing or not command.below_min or min(command.multiplier_e9, command.sizing_number_e9) < 0:
        return "a set gives every setting a value"
    return ""


def _unknown(state: ShardState, number: int) -> str:
    return "" if number in state.row_of else f"account {number} is not open in this shard"


def _beyond_equity(state: ShardState, command: Subscribe) -> str:
    if state.accounts.rows[state.row_of[command.account]].leverage_e9 > 1_000_000_000 or not command.is_active:
        return ""
    others = sum(
        each.allocation_e9
        for (number, name), each in state.subscriptions.items()
        if number == command.account and name != command.set and each.is_active
    )
    if others + command.allocation_e9 <= 1_000_000_000:
        return ""
    return (
        f"allocations of account {command.account} would add up to {(others + command.allocation_e9) / 1e7:g} %, "
        f"which only a leveraged account may"
    )


def _refused(command: str, account: int, reason: str) -> CommandRefused:
    return CommandRefused(command=command, account=account, reason=reason)
