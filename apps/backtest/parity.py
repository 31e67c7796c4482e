"""Parity: does the live pipeline trade what a backtest says that it trades, to the tick and the last unit of cash?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from apps.backtest.interface import run
from apps.backtest.market import prepare
from apps.backtest.options import Options
from apps.backtest.request import Loaded
from apps.backtest.result import Result
from apps.signals.interface import get_strategy
from trading.bars import Bars
from trading.instruments import Instrument, base_currency

_SAME = ("size_at", "fill", "leverage")
_TAKEN = ("cash", "currency", "sizing", "accounting", "fee_bps", "swap_long_pct", "swap_short_pct", "engine")
LEVERAGE = 1000.0
"""So much that no margin is ever missing: what a broker would refuse is not what is compared."""


class ParityError(ValueError):
    """What was asked for cannot be compared; the message says why and what can be."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One strategy, alone in a set that one account follows. `options` are those of a backtest that both sides have."""

    strategy: str
    channels: tuple[str, ...]
    params: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    via: str = ""
    """The currency over which both sides convert where no instrument is a pair of both currencies."""

    def __post_init__(self) -> None:
        """Raise ParityError for an option that only one of both sides knows."""
        for name in self.options:
            if name not in _TAKEN:
                fixed = f"; {', '.join(_SAME)} are as they are live" if name in _SAME else ""
                raise ParityError(f"{name}: a comparison takes {', '.join(_TAKEN)}{fixed}")

    def backtest_options(self) -> Options:
        """Return how the backtest trades: lots are fixed at the decision, as they must be live."""
        return Options.of({**self.options, "size_at": "decision", "leverage": LEVERAGE})

    def sizing(self) -> str:
        """Return the sizing of both sides."""
        return str(self.options.get("sizing") or get_strategy(self.strategy).sizing)


class Fill(NamedTuple):
    """A fill as both sides tell it: `steps` are signed lot steps, the price is in billionths, the fee in millionths."""

    time_ns: int
    instrument: str
    steps: int
    price_e9: int
    fee_micro: int


@dataclass(slots=True)
class Traded:
    """What one side did. `told` are (time, text) of what else a person has to know to understand a difference."""

    fills: list[Fill] = field(default_factory=list)
    cash_micro: int = 0
    equity_micro: int = 0
    told: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides of a case, and the number of the first fill that differs; -1 where all are the same."""

    case: Case
    live: Traded
    backtest: Traded
    first: int

    @property
    def is_same(self) -> bool:
        """Whether fills, cash and equity are the same."""
        return (
            self.first < 0
            and self.live.cash_micro == self.backtest.cash_micro
            and self.live.equity_micro == self.backtest.equity_micro
        )


def backtest(case: Case, bars: Mapping[str, Bars], loaded: Loaded) -> Traded:
    """Return what a backtest of the case does on the bars that the pipeline has had."""
    own = {name: bars[name] for name in case.channels}
    kinds = {name: loaded.instruments[name] for name in case.channels}
    rates = conversions(case, bars, loaded.instruments)
    result = run(
        case.strategy, own, params=case.params, instruments=kinds, conversion=rates or None,
        **{name: getattr(case.backtest_options(), name) for name in (*_TAKEN, "size_at", "leverage")},
    )  # fmt: skip
    return _traded(result, kinds)


def account_currency(case: Case, instruments: Mapping[str, Instrument]) -> str:
    """Return the currency of a case's account: that of its first channel where none was given."""
    return case.backtest_options().currency or instruments[case.channels[0]].currency


def conversions(case: Case, bars: Mapping[str, Bars], instruments: Mapping[str, Instrument]) -> dict[str, Bars]:
    """Return what each foreign currency is worth in the account's, as bars, by those instruments that are pairs."""
    ours = account_currency(case, instruments)
    found = _priced_in(ours, bars, instruments)
    rates = {currency: found[currency] for currency in _foreign(case, instruments) if currency in found}
    for currency in _foreign(case, instruments) - rates.keys():
        first = _priced_in(case.via, bars, instruments).get(currency)
        if case.via and first is not None and case.via in found:
            rates[currency] = _over(first, found[case.via], f"{currency} over {case.via}")
    return rates


def _priced_in(ours: str, bars: Mapping[str, Bars], instruments: Mapping[str, Instrument]) -> dict[str, Bars]:
    """Return what each currency that has a pair with another one is worth in that."""
    found: dict[str, Bars] = {}
    for name, instrument in instruments.items():
        base = base_currency(name, instrument.currency)
        if base and instrument.currency == ours:
            found.setdefault(base, bars[name])
        elif base == ours:
            found.setdefault(instrument.currency, _inverse(bars[name]))
    return found


def _over(first: Bars, second: Bars, told: str) -> Bars:
    """Return rates over two pairs, which must have closed at the same times."""
    if not np.array_equal(first.time, second.time):
        raise ParityError(f"{told}: the bars of both pairs must be of the same times")
    opened, closed = first.open * second.open, first.close * second.close
    high, low = np.maximum(opened, closed), np.minimum(opened, closed)
    return Bars(first.time, opened, high, low, closed, interval=first.interval)


def _inverse(bars: Bars) -> Bars:
    """Return what the quote currency of a pair was worth in its base when its bars opened and closed."""
    opened, closed = 1.0 / bars.open, 1.0 / bars.close
    return Bars(
        bars.time, opened, np.maximum(opened, closed), np.minimum(opened, closed), closed, interval=bars.interval
    )


def bars_per_year(case: Case, loaded: Loaded) -> dict[str, float]:
    """Return how many bars a year each channel of a case has, 0 where that is not known."""
    own = {name: loaded.bars[name] for name in case.channels}
    kinds = {name: loaded.instruments[name] for name in case.channels}
    rates = conversions(case, loaded.bars, loaded.instruments)
    market = prepare(own, case.backtest_options(), instruments=kinds, conversion=rates or None).market
    return dict(zip(case.channels, np.nan_to_num(market.bars_per_year).tolist(), strict=True))


def _foreign(case: Case, instruments: Mapping[str, Instrument]) -> set[str]:
    ours = account_currency(case, instruments)
    return {instruments[name].currency for name in case.channels} - {ours}


def compare(case: Case, live: Traded, expected: Traded) -> Comparison:
    """Return where both sides part."""
    pairs = zip(live.fills, expected.fills, strict=False)
    first = next((at for at, (one, other) in enumerate(pairs) if one != other), -1)
    if first < 0 and len(live.fills) != len(expected.fills):
        first = min(len(live.fills), len(expected.fills))
    return Comparison(case, live, expected, first)


def told(comparison: Comparison) -> list[str]:
    """Return lines that say where the sides part, with what each said around it; none where they do not."""
    if comparison.is_same:
        return []
    at = comparison.first
    lines = []
    if at >= 0:
        lines += [f"the first difference is fill {at + 1}:"]
        sides = (("live", comparison.live), ("backtest", comparison.backtest))
        for name, side in sides:
            lines += [f"  {name:<9} {_said(side.fills[at]) if at < len(side.fills) else 'no such fill'}"]
        times = [side.fills[at].time_ns for _, side in sides if at < len(side.fills)]
        around = [each for each in comparison.live.told if each[0] <= max(times)][-6:]
        lines += [f"  before it: {moment(time_ns)} {text}" for time_ns, text in around]
        if at:
            lines += [f"  the last that both have: {_said(comparison.live.fills[at - 1])}"]
    for what in ("cash_micro", "equity_micro"):
        one, other = getattr(comparison.live, what), getattr(comparison.backtest, what)
        if one != other:
            lines += [f"{what.removesuffix('_micro')}: live {one / 1e6:.6f}, backtest {other / 1e6:.6f}"]
    return lines


def moment(time_ns: int) -> str:
    """Return a time as people read it."""
    return str(np.datetime64(time_ns, "ns").astype("datetime64[s]")).replace("T", " ")


def checked(loaded: Loaded, cases: Sequence[Case]) -> dict[str, Instrument]:
    """Return the instruments. Raises ParityError for what cannot be traded live, or not in one feed."""
    for name, instrument in loaded.instruments.items():
        if not instrument.tick_size > 0.0 or not instrument.lot_step > 0.0:
            raise ParityError(
                f"{name} has no tick or no lot step, so it cannot be traded live: give it both, "
                "such as --spec tick_size=0.01 --spec lot_step=1"
            )
    for case in cases:
        strategy = get_strategy(case.strategy)
        if strategy.kind == "class":
            raise ParityError(f"{case.strategy} is a class: sets run strategies that can be compiled")
        if strategy.channels is not None and strategy.channels != len(case.channels):
            raise ParityError(f"{case.strategy} trades {strategy.channels} channels, it was given {len(case.channels)}")
    currency = next(iter(loaded.instruments.values())).currency or "USD"
    instruments = {
        name: each if each.currency else replace(each, currency=currency) for name, each in loaded.instruments.items()
    }
    pairs = {(base_currency(name, each.currency), each.currency) for name, each in instruments.items()}
    for case in cases:
        ours = account_currency(case, instruments)
        for foreign in _foreign(case, instruments):
            if not _is_rated(foreign, ours, pairs) and not (
                case.via and _is_rated(foreign, case.via, pairs) and _is_rated(case.via, ours, pairs)
            ):
                raise ParityError(
                    f"prices are in {foreign}, the account is in {ours}: give --conversion {foreign}=ID, a stored pair "
                    f"of both currencies such as OANDA:{foreign}{ours}, or --via a third one with a pair for each"
                )
    return instruments


def _is_rated(one: str, other: str, pairs: set[tuple[str, str]]) -> bool:
    return bool({(one, other), (other, one)} & pairs)


def _traded(result: Result, kinds: Mapping[str, Instrument]) -> Traded:
    fills = [_fill(row, result.channels[row["channel"]], kinds) for row in result.fill_records]
    cash = float(result.fill_records["cash"][-1]) if fills else float(result.manifest["options"]["cash"])
    return Traded(fills, round(cash * 1e6), round(result.final_equity * 1e6))


def _fill(row: Any, channel: str, kinds: Mapping[str, Instrument]) -> Fill:
    steps = round(float(row["quantity"]) / kinds[channel].lot_step)
    return Fill(int(row["time"]), channel, steps, round(float(row["price"]) * 1e9), round(float(row["fee"]) * 1e6))


def _said(fill: Fill) -> str:
    side = "bought" if fill.steps > 0 else "sold"
    return (
        f"{moment(fill.time_ns)} {side} {abs(fill.steps)} steps of {fill.instrument} at {fill.price_e9 / 1e9:.9g}, "
        f"fee {fill.fee_micro / 1e6:.6f}"
    )
