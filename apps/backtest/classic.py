"""Runs of strategies that are plain Python classes.

Python is asked at every close; the compiled loop catches up only when the strategy says something new or looks at its
portfolio, so a class that trades seldom costs little more than its own code.
"""

from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from apps.backtest.engine import ChannelsError, Run, check_targets, rules_of, swap_rates
from apps.backtest.kernels import several, single
from apps.backtest.kernels.classic import decide_several, decide_single, no_opinion, same_targets
from apps.backtest.market import Prepared
from apps.backtest.options import Options
from apps.backtest.specialise import specialise
from apps.signals.interface import Strategy, StrategyError, strategy_errors
from trading.bars import Bar
from trading.books import TICKETS, Desk, open_desk
from trading.targets import GTC, LOTS, MARKET, WEIGHT, Target, Targets, new_targets

_BLOCK = 16_384  # rows that are turned into Python numbers at a time

NAN = float("nan")
_NO_OPINION = Target(NAN, WEIGHT, MARKET, NAN, NAN, NAN, NAN, NAN, GTC, 0, 0)


class _State(NamedTuple):
    targets: Targets


class _Book:
    """The account of a run: `apps.signals.classic.Portfolio`."""

    def __init__(self, prepared: Prepared, options: Options, sizing: str) -> None:
        channels = len(prepared.channels)
        rows = prepared.market.close.shape[1]
        self._prepared = prepared
        self._swap = swap_rates(options)
        self.rules = rules_of(options, sizing, channels)
        self.rebalances = self.rules.band == self.rules.band
        self.specs = prepared.specs(options)
        self.curve = np.empty(rows)
        capacity = min(2 * rows * channels, 1_000_000) + 16 * channels
        self.desk: Desk = open_desk(options.cash, channels, TICKETS if self.rules.hedging else 1, capacity)
        self.state = _State(new_targets(channels))
        self._seen = np.zeros(channels, np.int64)
        self._done = 0
        self.row = 0
        self.wanted: dict[str, Target] = {}
        self._last: dict[str, Target] = {}
        loop, hold = (single.events, no_opinion) if channels == 1 else (several.events, same_targets)
        self._loop = specialise(loop, hold, "classic")

    @property
    def equity(self) -> float:
        """Equity at the last close, in account currency."""
        self.catch_up()
        return float(self.curve[self.row])

    @property
    def cash(self) -> float:
        """Cash, in account currency."""
        self.catch_up()
        return float(self.desk.account["cash"][0])

    def position(self, channel: str | None = None) -> float:
        """Return the lots held, signed."""
        self.catch_up()
        return float(self.desk.books["quantity"][self._index(channel)])

    def target_weight(
        self,
        weight: float,
        channel: str | None = None,
        *,
        stop_loss: float = NAN,
        take_profit: float = NAN,
        trail: float = NAN,
    ) -> None:
        """Ask for `weight` times equity in the channel."""
        self._want(channel, WEIGHT, weight, (stop_loss, take_profit, trail))

    def target_lots(
        self,
        lots: float,
        channel: str | None = None,
        *,
        stop_loss: float = NAN,
        take_profit: float = NAN,
        trail: float = NAN,
    ) -> None:
        """Ask for `lots` in the channel."""
        self._want(channel, LOTS, lots, (stop_loss, take_profit, trail))

    def catch_up(self) -> None:
        """Run the loop to the close of the current row."""
        if self._done <= self.row:
            span = (self._done, self.row + 1)
            market = self._prepared.market
            # A new target at a close comes before a rebalancing there, so `decide` does both.
            rules = self.rules._replace(band=NAN)
            self._loop(market, (self.state, 0), self.desk, self.specs, rules, self._swap, self.curve, span)
            self._done = self.row + 1

    def decide(self) -> None:
        """Hand what is newly wanted to the books, at the close of the current row."""
        self.catch_up()
        market = self._prepared.market
        if len(self._prepared.channels) == 1:
            target = next(iter(self.wanted.values()), _NO_OPINION)
            decide_single(market, self.desk, self.specs, self.rules, target, self.curve, self.row)
        else:
            for channel, target in self.wanted.items():
                if target.value == target.value and _differs(target, self._last.get(channel)):
                    self._last[channel] = target
                    self._put(self._index(channel), target)
            targets = self.state.targets
            decide_several(market, self.desk, self.specs, self.rules, targets, self._seen, self.curve, self.row)
        self.wanted.clear()

    def _put(self, index: int, target: Target) -> None:
        targets = self.state.targets
        for name, column in zip(Targets._fields[:-1], targets, strict=False):
            column[index] = getattr(target, name)
        targets.version[index] += 1

    def _want(self, channel: str | None, mode: int, value: float, bracket: tuple[float, float, float]) -> None:
        name = self._prepared.channels[self._index(channel)]
        self.wanted[name] = Target(float(value), mode, MARKET, NAN, NAN, *bracket, GTC, 0, 0)

    def _index(self, channel: str | None) -> int:
        channels = self._prepared.channels
        if channel is None and len(channels) == 1:
            return 0
        if channel not in channels:
            raise StrategyError(f"there is no channel {channel!r}; this run has {', '.join(channels)}")
        return channels.index(channel)


def simulate_class(strategy: Strategy, params: Any, prepared: Prepared, options: Options) -> Run:
    """Return the run of a class strategy. Raises StrategyError for what goes wrong inside it, ChannelsError."""
    book = _Book(prepared, options, options.sizing or strategy.sizing)
    with strategy_errors(strategy.source):
        instance = strategy.init(params, len(prepared.channels))
        instance.portfolio = book
        wanted = tuple(channel.instrument for channel in instance.initialize(params) or ())
    if wanted and wanted != prepared.channels:
        raise ChannelsError(
            f"{strategy.name} asks for {', '.join(wanted)}, it was given {', '.join(prepared.channels)}"
        )
    begun = perf_counter()
    with strategy_errors(strategy.source):
        if len(prepared.channels) == 1:
            _drive_single(instance, book, prepared)
        else:
            _drive_several(instance, book, prepared)
        book.catch_up()
    check_targets(strategy, prepared, book.desk)
    if int(book.desk.account["n_fills"][0]) > book.desk.fills.size:
        raise StrategyError(f"{strategy.name}: more fills than {book.desk.fills.size:,}, too many for the class form")
    return Run(book.desk, book.curve, perf_counter() - begun)


def _drive_single(instance: Any, book: _Book, prepared: Prepared) -> None:
    event, wanted, name = instance.event, book.wanted, prepared.channels[0]
    last: Any = NAN
    for row, bar in enumerate(_bars(prepared, 0)):
        book.row = row
        opinion = event(bar)
        if opinion is not None and opinion != last:
            last = opinion
            wanted[name] = _target(opinion)
        if wanted or book.rebalances:
            book.decide()


def _drive_several(instance: Any, book: _Book, prepared: Prepared) -> None:
    streams = [_bars(prepared, i) for i in range(len(prepared.channels))]
    for row, bars in enumerate(zip(*streams, strict=True)):
        book.row = row
        data = {name: bar for name, bar in zip(prepared.channels, bars, strict=True) if bar.close == bar.close}
        opinions: Mapping[str, Any] = instance.event(data) or {}
        for name, opinion in opinions.items():
            if opinion is not None:
                book.wanted[name] = _target(opinion)
        if book.wanted or book.rebalances:
            book.decide()


def _differs(target: Target, last: Target | None) -> bool:
    return last is None or any(a != b and not (a != a and b != b) for a, b in zip(target, last, strict=True))


def _target(opinion: Any) -> Target:
    if isinstance(opinion, Target):
        return opinion
    return Target(float(opinion), WEIGHT, MARKET, NAN, NAN, NAN, NAN, NAN, GTC, 0, 0)


def _bars(prepared: Prepared, i: int) -> Iterator[Bar]:
    """Yield channel i's bars, row by row, as Python numbers; a row without a bar of its own repeats the last close."""
    market = prepared.market
    rows = market.close.shape[1]
    nothing = np.full(_BLOCK, np.nan)
    for first in range(0, rows, _BLOCK):
        block = slice(first, min(first + _BLOCK, rows))
        close = market.close[i, block]
        columns = (
            prepared.close_times(block),
            market.open[i, block],
            market.high[i, block],
            market.low[i, block],
            close,
            market.volume[i, block] if market.volume.size else nothing[: close.size],
            market.bid_close[i, block] if market.bid_close.size else close,
            market.ask_close[i, block] if market.ask_close.size else close,
        )
        yield from map(Bar._make, zip(*(column.tolist() for column in columns), strict=True))
