"""One run: from prepared bars and bound parameters to fills and a curve."""

import math
from dataclasses import dataclass
from functools import cached_property
from threading import local
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from apps.backtest.beside import beside
from apps.backtest.kernels.books_after import outgrows_margin
from apps.backtest.kernels.flips import crossings, is_plain, trade_flips, trade_plain_flips
from apps.backtest.kernels.market import Market, Specs
from apps.backtest.kernels.opinions import TARGET_DTYPE
from apps.backtest.market import Prepared
from apps.backtest.marking import Curve, Marked, Written
from apps.backtest.options import Options, sizing_of
from apps.backtest.specialise import specialise
from apps.signals.interface import CrossingLines, Strategy, StrategyError, strategy_errors
from trading.books import TICKETS, Desk, open_desk
from trading.compiled import running_seconds
from trading.costs import Costs
from trading.orders import Rules
from trading.sizing import ALL_IN, EQUAL, FIXED_LOTS, KELLY, PERCENT, RISK, VOLATILITY, WEIGHTS, Sizing
from trading.targets import POSSIBLE, Target, impossible_field

_RULES = {
    "all-in": ALL_IN,
    "weights": WEIGHTS,
    "equal": EQUAL,
    "percent": PERCENT,
    "lots": FIXED_LOTS,
    "risk": RISK,
    "vol": VOLATILITY,
    "kelly": KELLY,
}
_ASKED = 200_000  # rows that a strategy is asked about before the account goes through them
_PERCENTAGES = ("percent", "risk", "vol")


class ChannelsError(ValueError):
    """The strategy takes another number of channels than it was given."""

    exit_code = 2  # of a command: wrong usage


@dataclass(frozen=True)
class Run:
    """What a run leaves: the desk as it is at the end, the curve, and the seconds that the loop took.

    Those are without what compiling took, and without marking a curve that only fills have to say something about.
    """

    desk: Desk
    specs: Specs
    curve: Curve
    seconds: float

    @cached_property
    def fills(self) -> Any:
        """The fills, structured array of FILL_DTYPE."""
        return self.desk.fills[: int(self.desk.account["n_fills"][0])]


def rules_of(options: Options, sizing: str, channels: int) -> Rules:
    """Return the options as the numbers that the kernels take; `sizing` is the sizing to use, as in the options."""
    name, number = sizing_of(sizing)
    return Rules(
        costs=Costs(
            options.fee_bps / 1e4,
            options.fee_per_share,
            options.fee_per_lot,
            options.fee_minimum,
            options.spread / 2.0,
            options.slippage_bps / 1e4,
            options.slippage_fixed,
            options.slippage_volume,
            options.volume_cap,
        ),
        sizing=Sizing(_RULES[name], number / 100.0 if name in _PERCENTAGES else number, channels),
        size_at_decision=int(options.size_at == "decision"),
        fill_at_close=int(options.fill == "close"),
        band=float(options.rebalance),
        margin_call=float(options.margin_call),
        hedging=int(options.accounting == "hedging"),
    )


def check_channels(strategy: Strategy, prepared: Prepared) -> None:
    """Raise ChannelsError if the strategy does not take the number of channels that there are."""
    given = len(prepared.channels)
    if strategy.channels is not None and strategy.channels != given:
        raise ChannelsError(
            f"{strategy.name} trades {strategy.channels} channel{'s' * (strategy.channels != 1)}, "
            f"it was given {given}: {', '.join(prepared.channels[:5])}{' …' * (given > 5)}"
        )


def simulate(strategy: Strategy, params: Any, prepared: Prepared, options: Options) -> Run:
    """Return the run of a compiled strategy. Raises ChannelsError, and StrategyError for what goes wrong inside it."""
    check_channels(strategy, prepared)
    rules = rules_of(options, options.sizing or strategy.sizing, len(prepared.channels))
    specs = prepared.specs(options)
    with strategy_errors(strategy.source):
        if can_flip(strategy, prepared, options):
            run = _flip(strategy, params, prepared, options, rules, specs)
            if run is not None:
                return run
        return _loop(strategy, params, prepared, options, rules, specs)


def check_targets(strategy: Strategy, prepared: Prepared, desk: Desk) -> None:
    """Raise StrategyError, with time, channel and field, if the strategy gave a target that no order can be made of."""
    account = desk.account[0]
    if not account["refused"]:
        return
    channel = int(account["refused"]) - 1
    book = desk.books[channel]
    given = Target(*(book[f"seen_{name}"].item() for name in Target._fields))
    name, wanted = POSSIBLE[impossible_field(given)]
    _refuse_target(strategy, prepared, int(account["refused_bar"]), channel, name, getattr(given, name), wanted)


def _refuse_target(
    strategy: Strategy, prepared: Prepared, row: int, channel: int, name: str, value: Any, wanted: str
) -> NoReturn:
    closed = np.datetime64(int(prepared.close_times(row)), "ns").astype("datetime64[s]")
    raise StrategyError(
        f"{strategy.source}: {strategy.name}: the target given at {closed} for {prepared.channels[channel]} "
        f"has {name}={value}: write {wanted}"
    )


def can_flip(strategy: Strategy, prepared: Prepared, options: Options) -> bool:
    """Tell whether a run trades only where a weight changes, so that the rest of its bars need no event loop."""
    return (
        options.engine == "auto"
        and len(prepared.channels) == 1
        and strategy.channels == 1
        and gives_weights(strategy)
        and options.accounting == "netting"
        and math.isnan(options.rebalance)
        and options.swap_long_pct == 0.0
        and options.swap_short_pct == 0.0
        and options.volume_cap == 0.0
    )


def gives_weights(strategy: Strategy) -> bool:
    """Tell whether a strategy's `on_bar` is declared to return a number: a weight, entered at market."""
    function = getattr(strategy.on_bar, "py_func", strategy.on_bar)
    return function.__annotations__.get("return") in (float, "float")


def swap_rates(options: Options) -> tuple[float, float]:
    """Return the shares of notional that a long and a short position pay a day."""
    return options.swap_long_pct / 100.0 / 365.0, options.swap_short_pct / 100.0 / 365.0


def _flip(
    strategy: Strategy, params: Any, prepared: Prepared, options: Options, rules: Rules, specs: Specs
) -> Run | None:
    begun = running_seconds()
    desk = flip_desk(strategy, params, prepared, options, rules, specs)
    fills = desk.fills[: int(desk.account["n_fills"][0])]
    if outgrows_margin(prepared.closes, specs, fills, options.cash, rules.margin_call):
        return None
    return Run(desk, specs, Marked(prepared.closes, specs, fills, options.cash), running_seconds() - begun)


def flip_desk(
    strategy: Strategy, params: Any, prepared: Prepared, options: Options, rules: Rules, specs: Specs
) -> Desk:
    """Return the desk of a run that can flip, after its last fill."""
    at, weights = flips_of(strategy, params, prepared)
    desk = open_desk(options.cash, 1, 1, at.size + 1)
    trade = trade_plain_flips if is_plain(prepared.market, specs, rules) else trade_flips
    trade(prepared.market, desk, specs, rules, at, weights)
    return desk


def flips_of(strategy: Strategy, params: Any, prepared: Prepared) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows at which the strategy's weight changes, and the weights from there on.

    Both are overwritten by the next call in the same thread.
    """
    market = prepared.market
    at, weights = _scratch(market.close.shape[1])
    if strategy.lines is not None:
        count = _crossings_of(strategy.lines, strategy, params, market.close.reshape(-1), at, weights)
    else:
        from apps.backtest.kernels import single  # slow to import, and not needed by all

        ask = specialise(single.changes, strategy.on_bar, _version(strategy))
        count = ask(market, strategy.init(params, 1), params, (0, at.size), at, weights)
        endless = np.flatnonzero(np.isinf(weights[:count]))
        if endless.size:
            first = int(endless[0])
            _refuse_target(strategy, prepared, int(at[first]), 0, "value", weights[first], POSSIBLE[1][1])
    return at[:count], weights[:count]


_reused = local()


def _scratch(rows: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return two columns with room for `rows`, in a thread the same ones each time.

    Few of their pages are ever used; but to give back and to get that much anew costs as much as the work in them.
    """
    columns: tuple[NDArray[np.int64], NDArray[np.float64]] | None = getattr(_reused, "columns", None)
    if columns is None or columns[0].size != rows:
        columns = _reused.columns = np.empty(rows, np.int64), np.empty(rows)
    return columns


def _crossings_of(
    lines: CrossingLines,
    strategy: Strategy,
    params: Any,
    close: NDArray[np.float64],
    at: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> int:
    """Write the rows at which the lines cross, and the weights from there on; return how many there are."""
    fast, slow, below = getattr(params, lines.fast), getattr(params, lines.slow), lines.below(strategy, params)
    if lines.crossings is not None:
        return int(lines.crossings(close, fast, slow, below, at, weights))
    above, under = np.empty_like(close), np.empty_like(close)
    wait = beside(close.size, lines.columns, close, fast, above)
    lines.columns(close, slow, under)
    wait()
    return int(crossings(above, under, below, at, weights))


def _version(strategy: Strategy) -> str:
    # The module too: the cache holds types by their module's name, and a copied file has the same code.
    return f"{strategy.name}_{strategy.code_hash}_{strategy.module.rpartition('.')[2]}"


def _loop(strategy: Strategy, params: Any, prepared: Prepared, options: Options, rules: Rules, specs: Specs) -> Run:
    market = prepared.market
    channels, rows = market.close.shape
    loop = _single_loop(strategy, rows) if strategy.channels == 1 else _several_loop(strategy)
    capacity = min(2 * rows * channels, 1_000_000) + 16 * channels
    while True:
        desk = open_desk(options.cash, channels, TICKETS if rules.hedging else 1, capacity)
        equity = np.empty(rows)
        state = strategy.init(params, channels)
        begun = running_seconds()
        loop(market, (state, params), desk, specs, rules, swap_rates(options), equity, (0, rows))
        seconds = running_seconds() - begun
        needed = int(desk.account["n_fills"][0])
        if needed <= capacity:
            check_targets(strategy, prepared, desk)
            return Run(desk, specs, Written(equity), seconds)
        capacity = needed


def _several_loop(strategy: Strategy) -> Any:
    from apps.backtest.kernels import several  # slow to import, and not needed by all

    return specialise(several.events, strategy.on_bar, _version(strategy))


def _single_loop(strategy: Strategy, rows: int) -> Any:
    """Return the event loop of a strategy with one channel: while the account goes through a part, the next is asked.

    It is called as the loops for several channels are.
    """
    from apps.backtest.kernels import single  # slow to import, and not needed by all

    ask = specialise(single.changes, strategy.on_bar, _version(strategy))
    size = min(rows, _ASKED)
    kind = np.float64 if gives_weights(strategy) else TARGET_DTYPE
    lists = [(np.empty(size, np.int64), np.empty(size, kind)) for _ in range(2)]

    def loop(
        market: Market,
        strategy: Any,
        desk: Desk,
        specs: Specs,
        rules: Rules,
        swap: Any,
        equity: Any,
        span: tuple[int, int],
    ) -> None:
        begin, end = span
        parts = [(first, min(first + size, end)) for first in range(begin, end, size)]
        wait = beside(0, ask, market, *strategy, parts[0], *lists[0])
        for turn, part in enumerate(parts):
            count = wait()
            at, wanted = lists[turn % 2]
            if turn + 1 < len(parts):
                wait = beside(part[1] - part[0], ask, market, *strategy, parts[turn + 1], *lists[(turn + 1) % 2])
            single.events(market, (at[:count], wanted[:count]), desk, specs, rules, swap, equity, part)

    return loop
