"""What other limits would do: orders judged by the kernel that judges orders, over the state as it is, twice."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from apps.risk.contracts import LimitsChanged, RefusalReason, TradingStateChanged
from apps.risk.interface import Judged
from apps.risk.kernels import reasons
from apps.risk.kernels.checking import check_orders
from apps.risk.kernels.records import ACCOUNT_NOW_DTYPE, CELL_NOW_DTYPE, QUOTE_DTYPE, Asked
from apps.risk.people import change_limits
from apps.risk.sessions import session_at
from apps.risk.state import RiskState
from apps.risk.values import stop_accounts, stops_under
from banyan.columns import Ints

_MARKET = 0


class Probe(NamedTuple):
    """An order to be judged: of an account (by number), with the lot steps and the set that it would be of."""

    account: int
    instrument: str
    steps: int
    set: str = ""


class Preview(NamedTuple):
    """What a change of limits would do to accounts as they are.

    `again`: each asks for its last order once more; `turned`: each turns round what it holds; `stopped`: those that a
    loss would newly stop at once.
    """

    accounts: int
    again: Judged
    turned: Judged
    stopped: list[int]


class _Part(NamedTuple):
    """Of a shard: the accounts that were asked for, and the reason (0: none) of each as limits are and would be."""

    accounts: Ints
    now: Ints
    then: Ints


def preview(states: Iterable[RiskState], change: LimitsChanged, probes: Sequence[Probe], at_ns: int) -> Preview:
    """Return what `change` would do in shards, whose states have it afterwards."""
    again, turned, stopped, count = [], [], [], 0
    for state in states:
        opened = state.accounts.columns["opened"] != 0
        count += int(np.count_nonzero(opened & _is_of(change.account, state.accounts.columns["number"])))
        last, held = list(_known(state, probes)), list(_turning(state, change))
        before = [_verdicts(state, each, at_ns) for each in (last, held)]
        stops = [each for each in stops_under(state, change, at_ns) if isinstance(each, TradingStateChanged)]
        change_limits(state, change)
        for each in stops:
            stop_accounts(state, each)
        after = [_verdicts(state, each, at_ns) for each in (last, held)]
        again.append(_Part(_accounts(last), before[0], after[0]))
        turned.append(_Part(_accounts(held), before[1], after[1]))
        stopped += sorted({number for each in stops for number in each.accounts.tolist()})
    return Preview(count, _judged(again), _judged(turned), stopped)


def _known(state: RiskState, probes: Sequence[Probe]) -> Iterator[Probe]:
    """Yield the orders of accounts and instruments that a shard knows the value of."""
    numbers = np.array([each.account for each in probes], np.int64)
    rows = state.opened_rows_of(numbers) if numbers.size else numbers
    for probe, row in zip(probes, rows.tolist(), strict=True):
        instrument = state.instrument_names.known(probe.instrument)
        if row >= 0 and instrument >= 0 and probe.steps and state.cell_rows[instrument, row] >= 0:
            yield probe


def _is_of(account: int, numbers: Any) -> Any:
    """Return which accounts limits are for: of one, or (-1) of all."""
    return (numbers == account) | (account < 0)


def _turning(state: RiskState, change: LimitsChanged) -> Iterator[Probe]:
    """Yield for each position that limits are for, of an account that is not hedging, the order that turns it round."""
    cells, accounts = state.cells.columns, state.accounts.columns
    hedging = accounts["hedging"][cells["account"]] != 0
    concerned = _is_of(change.account, accounts["number"][cells["account"]])
    for at in np.flatnonzero((cells["position"] != 0) & ~hedging & concerned).tolist():
        name = state.instrument_names.names[cells["instrument"][at]]
        if change.instrument not in ("", name):
            continue
        yield Probe(int(accounts["number"][cells["account"][at]]), name, -2 * int(cells["position"][at]))


def _accounts(probes: Sequence[Probe]) -> Ints:
    return np.array([each.account for each in probes], np.int64)


def _verdicts(state: RiskState, probes: Sequence[Probe], at_ns: int) -> Ints:
    """Return the reason for which each order would be refused, each judged as if it were the only one."""
    found = np.zeros(len(probes), np.int64)
    for chosen in _apart(probes):
        found[chosen] = _judge(state, [probes[at] for at in chosen], at_ns)
    return found


def _apart(probes: Sequence[Probe]) -> list[list[int]]:
    """Return the places of orders in groups in which no account has two: within one the kernel lets orders add up."""
    seen: Counter[int] = Counter()
    groups: list[list[int]] = []
    for at, probe in enumerate(probes):
        turn = seen[probe.account]
        seen[probe.account] += 1
        if turn == len(groups):
            groups.append([])
        groups[turn].append(at)
    return groups


def _judge(state: RiskState, probes: list[Probe], at_ns: int) -> Ints:
    count = len(probes)
    names = list(dict.fromkeys(each.instrument for each in probes))
    instrument = np.array([names.index(each.instrument) for each in probes], np.int64)
    rows = state.rows_of(_accounts(probes))
    known = np.array([state.instrument_names.known(name) for name in names], np.int64)
    cell = state.cells.columns[state.cell_rows[known[instrument], rows]]
    steps = np.array([each.steps for each in probes], np.int64)
    none = np.zeros(count, np.int64)
    hedging = state.accounts.columns["hedging"][rows] != 0
    asked = Asked(
        account=rows, instrument=instrument, decision=cell["decision"] + 1, steps=steps,
        step_value=np.maximum(cell["step_value"], 1), order_type=np.full(count, _MARKET, np.int64), limit_ticks=none,
        stop_ticks=none, reduce_only=none, of_short=(hedging & (steps < 0)).astype(np.int64),
        set_state=np.array([state.set_states.get(each.set, 0) for each in probes], np.int64),
    )  # fmt: skip
    quotes = np.array([_quote(state, name, at_ns) for name in names], QUOTE_DTYPE)
    verdicts = np.zeros((4, count), np.int64)
    check_orders(
        state.book(), asked, quotes, np.array([at_ns, state.trading_state], np.int64),
        np.full(state.accounts.count, -1, np.int64), np.zeros(count, ACCOUNT_NOW_DTYPE),
        np.zeros(count, CELL_NOW_DTYPE), verdicts,
    )  # fmt: skip
    return verdicts[0]


def _quote(state: RiskState, name: str, at_ns: int) -> tuple[int, ...]:
    row = state.instrument_names.known(name)
    known = state.instruments.columns[row]
    prices = int(known["bid_ticks"]), int(known["ask_ticks"]), int(known["margin_e9"])
    return (row, *prices, 1, 0, *session_at(state, name, at_ns))


def _judged(parts: Sequence[_Part]) -> Judged:
    asked: set[int] = set()
    now: set[int] = set()
    then: dict[int, int] = {}
    for part in parts:
        asked.update(part.accounts.tolist())
        now.update(part.accounts[part.now != reasons.NONE].tolist())
        for account, reason in zip(part.accounts.tolist(), part.then.tolist(), strict=True):
            if reason != reasons.NONE:
                then.setdefault(account, reason)
    newly = sorted(set(then) - now)
    counts = Counter(RefusalReason(then[account]).name.lower().replace("_", " ") for account in newly)
    return Judged(len(asked), len(now), len(then), newly, dict(counts.most_common()))
