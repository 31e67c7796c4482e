"""How far what was traded live is from what a backtest of the same bars says.

The bars are those that the feed has let in, with as many before them as the set's strategies are warmed up with. The
backtest fixes its lots at the decision, as it must be live, begins flat where the account began, and with its deposit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from apps.audit.drift_bars import bars_of
from apps.backtest.interface import Result, run
from apps.feeds.interface import get_instrument
from apps.reporting import interface as reporting
from apps.reporting.interface import OrderRow, Scope
from apps.signals.contracts import MemberSpec
from apps.signals.interface import get_set, get_strategy
from trading.bars import Bars
from trading.instruments import Instrument

_ALL = 2**31
_LEVERAGE = 1000.0
"""So much that no margin is ever missing in the backtest: what risk refuses live is a difference to be seen."""


class DriftError(ValueError):
    """Nothing can be compared; the message says why."""

    exit_code = 2


class DriftRow(NamedTuple):
    """Live and backtest of an account's book in an instrument; money in the account's currency.

    `matched` are live orders and fills of the backtest that the same bar decided; `price_bps` is what live paid more
    than the backtest for those (weighted by notional; below 0: less). `drift` is live less backtest.
    """

    account: str
    set: str
    instrument: str
    fills: int
    fills_backtest: int
    matched: int
    lots: float
    lots_backtest: float
    price_bps: float | None
    pnl: float | None
    pnl_backtest: float
    drift: float | None


@dataclass(slots=True)
class Drift:
    """What was compared, and why something was not."""

    rows: list[DriftRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Fill(NamedTuple):
    decided_ns: int
    lots: float
    price: float
    fee: float


def drift(name: str, accounts: Sequence[str], fee_bps: float | None = None) -> Drift:
    """Compare accounts that followed a set, from the first order of each; fees are those of live unless given."""
    members = get_set(name).members
    found = Drift()
    for account in accounts:
        orders = [each for each in reporting.orders(Scope(account=account, set=name), _ALL) if each.decided_at_ns]
        why = _why_not(account, orders, members)
        if why:
            found.notes.append(f"{account}: {why}")
            continue
        found.rows += _compared(account, name, orders, members, fee_bps)
    return found


def _why_not(account: str, orders: Sequence[OrderRow], members: Sequence[MemberSpec]) -> str:
    """Return why an account cannot be compared, "" where it can."""
    if not orders:
        return "it has had no order of this set"
    settings = {each.name: each.value for each in reporting.settings_of(orders[0])}
    if settings.get("reverse") == "yes":
        return "it trades the reverse of the set, which no backtest does"
    channels = [channel.instrument for member in members for channel in member.channels]
    if len(set(channels)) < len(channels):
        return "several strategies of the set trade the same instrument, so its lots are of no one of them"
    (row,) = reporting.accounts(Scope(account=account), 1)
    foreign = {get_instrument(each).currency or row.currency for each in channels} - {row.currency}
    return f"prices are in {', '.join(sorted(foreign))}, it is in {row.currency}" if foreign else ""


def _compared(
    account: str, name: str, orders: Sequence[OrderRow], members: Sequence[MemberSpec], fee_bps: float | None
) -> Iterator[DriftRow]:
    (row,) = reporting.accounts(Scope(account=account), 1)
    settings = {each.name: each.value for each in reporting.settings_of(orders[0])}
    began_ns = min(each.decided_at_ns or 0 for each in orders)
    live = {each.group[0]: each for each in reporting.pnl(Scope(account=account, set=name), ["instrument"], _ALL)}
    for member in members:
        kinds = {each.instrument: get_instrument(each.instrument) for each in member.channels}
        charged = _fee_bps(orders, kinds) if fee_bps is None else fee_bps
        result = _backtest(member, kinds, began_ns, row.deposit, _sizing(member, settings), charged)
        for at, instrument in enumerate(kinds):
            mine = [each for each in orders if each.instrument == instrument and each.filled]
            told = live.get(instrument)
            size, last = kinds[instrument].contract_size, float(result.bars[at].close[-1])
            fills = _fills(result, at, began_ns, size * charged / 1e4)
            held = sum(each.lots for each in fills) * last * size
            pnl_backtest = held - sum(each.lots * each.price * size + each.fee for each in fills)
            pnl = told.total if told else 0.0
            matched, price_bps = _matched(mine, fills)
            yield DriftRow(
                account, name, instrument, len(mine), len(fills), matched, sum(abs(each.filled) for each in mine),
                sum(abs(each.lots) for each in fills), price_bps, pnl, pnl_backtest,
                None if pnl is None else pnl - pnl_backtest,
            )  # fmt: skip


def _backtest(
    member: MemberSpec, kinds: Mapping[str, Instrument], began_ns: int, deposit: float, sizing: str, fee_bps: float
) -> Result:
    """Return the run whose equity was the deposit at the close that decided the account's first order."""
    strategy = get_strategy(member.strategy)
    bars = bars_of(member, strategy, kinds, began_ns)
    cash = deposit
    for _ in range(2):
        result = run(
            strategy, bars, params=member.parameters, instruments=dict(kinds), cash=cash, sizing=sizing,
            fee_bps=fee_bps, size_at="decision", leverage=_LEVERAGE,
        )  # fmt: skip
        at = int(np.searchsorted(result.time, began_ns, "right")) - 1
        equity = float(result.equity[at]) if at >= 0 else cash
        if equity <= 0.0 or equity == deposit:
            break
        cash *= deposit / equity
    return result


def _sizing(member: MemberSpec, settings: Mapping[str, str]) -> str:
    """Return the sizing of the backtest: the account's, times what it gives to the set and the set to the strategy."""
    part = float(settings["allocation"]) * float(settings["multiplier"]) * member.share_e9 / 1e9
    rule, _, number = settings["sizing"].partition(":")
    if part == 1.0:
        return settings["sizing"]
    shares = {"all-in": 100.0, "weights": 100.0, "equal": 100.0 / len(member.channels)}
    if rule in shares:
        return f"percent:{shares[rule] * part:g}"
    return f"{rule}:{float(number or {'percent': 100.0}.get(rule, 1.0)) * part:g}"


def _fee_bps(orders: Sequence[OrderRow], kinds: Mapping[str, Instrument]) -> float:
    """Return what was paid for orders, in basis points of their notional."""
    done = [each for each in orders if each.filled and each.price and each.instrument in kinds]
    notional = sum(abs(each.filled) * (each.price or 0.0) * kinds[each.instrument].contract_size for each in done)
    return round(sum(each.fee for each in done) / notional * 1e4, 4) if notional else 0.0


def _fills(result: Result, channel: int, began_ns: int, fee_rate: float) -> list[_Fill]:
    """Return a backtest's fills in a channel that were decided from a close on, as if it had been flat before.

    What it has held by then, and goes on holding, is bought at the next open: an account that converges does so too.
    `fee_rate` is what that costs, for each unit of lots and price.
    """
    rows = result.fill_records[result.fill_records["channel"] == channel]
    decided_ns = result.time[np.maximum(rows["bar"] - 1, 0)]
    before, after = rows[decided_ns <= began_ns], decided_ns > began_ns
    held = float(before["position"][-1]) if before.size else 0.0
    fills = [_opening(result.bars[channel], held, began_ns, fee_rate)] if held else []
    columns = (decided_ns[after], *(rows[name][after] for name in ("quantity", "price", "fee")))
    return fills + [_Fill(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _opening(bars: Bars, lots: float, began_ns: int, fee_rate: float) -> _Fill:
    at = min(int(np.searchsorted(bars.time, began_ns)), len(bars) - 1)
    opens = (
        bars.open if bars.ask_open is None or bars.bid_open is None else (bars.ask_open if lots > 0 else bars.bid_open)
    )
    price = float(opens[at])
    return _Fill(began_ns, lots, price, abs(lots) * price * fee_rate)


def _matched(orders: Sequence[OrderRow], fills: Sequence[_Fill]) -> tuple[int, float | None]:
    """Return how many orders and fills the same bar decided, and what live paid more for them, in basis points."""
    by_time = {each.decided_ns: each for each in fills}
    pairs: list[tuple[OrderRow, _Fill]] = [
        (order, by_time[order.decided_at_ns]) for order in orders if order.decided_at_ns in by_time
    ]
    weights = np.array([abs(order.filled) for order, _ in pairs])
    costs = [np.sign(order.filled) * ((order.price or 0.0) / fill.price - 1.0) * 1e4 for order, fill in pairs]
    return len(pairs), float(np.average(costs, weights=weights)) if pairs else None
