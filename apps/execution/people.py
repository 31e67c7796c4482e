"""What follows from what people and programs ask: accounts, settings, flatten and resume."""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import astuple

from apps.execution.apart import both_ways, order_apart, sent_by_hand
from apps.execution.apart_messages import cancels
from apps.execution.book_contracts import (
    FLATTEN,
    AccountConfigured,
    AccountsFlattened,
    AccountsResumed,
    CommandRefused,
    ConfigureAccount,
    SetConfigured,
    Subscribed,
)
from apps.execution.contracts import (
    AccountOpened,
    AccountValued,
    ConfigureSet,
    OpenAccount,
    Resume,
    Subscribe,
)
from apps.execution.crossed import crosses
from apps.execution.kernels.records import BOOK_EXTERNAL
from apps.execution.netted_orders import net, requests
from apps.execution.settings_chain import maps_anew, refusal_of
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
        return [refused("open-account", command.number, f"account {command.number} is open already")]
    if command.number < 0 or command.leverage_e9 <= 0 or command.fee_rate_e9 < 0:
        return [refused("open-account", command.number, "number and fee rate must not be negative, leverage above 0")]
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
            via=command.via,
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


def configure_set(state: ShardState, command: ConfigureSet) -> Sequence[Message]:
    """Set what holds for a set, unless it does already."""
    known = state.sets.get(command.set)
    if known is not None and astuple(known) == astuple(command):
        return []
    problem = refusal_of(command) or _wrong_with(command)
    return [refused("configure-set", -1, problem) if problem else SetConfigured(settings=command)]


def configure_account(state: ShardState, command: ConfigureAccount) -> Sequence[Message]:
    """Set what holds for an account."""
    problem = refusal_of(command) or unknown_account(state, command.account)
    return [refused("configure-account", command.account, problem) if problem else AccountConfigured(settings=command)]


def subscribe(state: ShardState, received: Received, command: Subscribe) -> Sequence[Message]:
    """Let an account follow a set; one that converges takes up the set's last target at once."""
    problem = refusal_of(command) or unknown_account(state, command.account) or _beyond_equity(state, command)
    problem = problem or _mapped_twice(state, command)
    if problem:
        return [refused("subscribe", command.account, problem)]
    events: list[Message] = [Subscribed(settings=command)]
    if command.join == "converge" or maps_anew(state, command):
        events.append(net_soon(received))
    return events


def flatten(state: ShardState, received: Received, numbers: Ints, instrument: str, reason: str) -> Sequence[Message]:
    """Close what the books of accounts hold, and hold them at zero."""
    shard = state.shard()
    rows = _chosen(state, numbers)
    events: list[Message] = [
        AccountsFlattened(account=state.accounts.columns["number"][rows], instrument=instrument, reason=reason)
    ]
    chosen = np.isin(state.cells.columns["account"], rows)
    if instrument:
        chosen &= state.cells.columns["instrument"] == state.instruments.known(instrument)
    by_hand = sent_by_hand(state, np.flatnonzero(chosen)) if state.apart.entries else []
    wanted = chosen & (state.cells.columns["frozen"] == 0)
    wanted &= state.accounts.columns["ready"][state.cells.columns["account"]] != 0
    if by_hand:
        events.append(cancels(state, by_hand, is_final=True))
    apart = np.zeros(wanted.size, bool)
    apart[state.lines.columns["cell"][sorted(state.apart.lines)]] = True
    if (apart & wanted).any():
        events.append(net_soon(received))  # what trades apart is closed when these books want nothing any more
        wishes = both_ways(state, np.flatnonzero(apart & wanted))
        events += order_apart(state, shard, wishes, set(), received.event_time_ns, reduce_only=True)
    cells = np.flatnonzero(wanted & ~apart)
    netted = net(state, shard, state.lines.columns["working"].copy(), cells, flattens=True, reduces=True)
    events += crosses(state, shard, netted, received.event_time_ns)
    events += requests(state, shard, netted, received.event_time_ns, set_name=FLATTEN, reduce_only=True)
    return events


def held_though_flat(state: ShardState, rows: Ints) -> list[tuple[str, Ints]]:
    """Return what of accounts (rows) is held at zero and still holds: an order that was to close it came to nothing.

    Each is an instrument, "" for all of them, with the accounts' numbers, as `flatten` takes them.
    """
    lines, accounts = state.lines.columns, state.accounts.columns
    left = (lines["held"] != 0) & (lines["working"] != 0) & (lines["open"] == 0) & (lines["unknown"] == 0)
    left &= (lines["book"] != BOOK_EXTERNAL) & np.isin(lines["account"], rows)
    of_account = left & (accounts["flattened"][lines["account"]] != 0)
    of_cell = left & ~of_account & (state.cells.columns["flattened"][lines["cell"]] != 0)
    wholes = [("", of_account)]
    for each in np.unique(lines["instrument"][of_cell]).tolist():
        wholes.append((state.instruments.names[each], of_cell & (lines["instrument"] == each)))
    return [(name, accounts["number"][np.unique(lines["account"][each])]) for name, each in wholes if each.any()]


def resume(state: ShardState, received: Received, command: Resume) -> Sequence[Message]:
    """Let accounts trade again."""
    numbers = state.accounts.columns["number"][_chosen(state, command.accounts)]
    return [AccountsResumed(account=numbers, instrument=command.instrument), net_soon(received)]


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


def unknown_account(state: ShardState, number: int) -> str:
    """Return what is wrong with an account's number, "" if nothing is."""
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


def _mapped_twice(state: ShardState, command: Subscribe) -> str:
    known = state.sets.get(command.set)
    names = [each.id for each in known.terms] if known is not None else []
    traded = [command.symbols.get(each, each) for each in names]
    twice = next((each for each in traded if traded.count(each) > 1), "")
    return f"symbols: {twice} would be traded in place of two instruments of {command.set}" if twice else ""


def refused(command: str, account: int, reason: str) -> CommandRefused:
    """Return the answer to a command that cannot be."""
    return CommandRefused(command=command, account=account, reason=reason)
