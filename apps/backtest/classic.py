"""Runs of strategies that are plain Python classes.

Python is asked at every close, and what it says is put on a list. The compiled loop goes through the rows in one piece,
to the last one or to the one at which the class looks at its portfolio; so a class costs little more than its own code.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, repeat
from typing import Any

import numpy as np

from apps.backtest.engine import ChannelsError, Run, check_targets, rules_of, swap_rates
from apps.backtest.kernels import several, single
from apps.backtest.kernels.classic import SAID_DTYPE, Said, decide_one, decide_several, say_several, stay
from apps.backtest.kernels.opinions import TARGET_DTYPE
from apps.backtest.market import Prepared
from apps.backtest.marking import Written
from apps.backtest.options import Options
from apps.backtest.specialise import specialise
from apps.signals.interface import Strategy, StrategyError, strategy_errors
from trading.bars import Bar
from trading.books import TICKETS, Desk, open_desk
from trading.compiled import running_seconds
from trading.ledger import FILL_DTYPE
from trading.orders import Rules
from trading.targets import GTC, LOTS, MARKET, WEIGHT, Target, new_targets

_BLOCK = 4096  # rows that are turned into Python numbers at a time
_AHEAD = 64  # rows that are marked at once, or more while nothing else happens
_SAID = 65_536  # targets that are kept before the loop takes them in
_FILLS = 1_000_000  # for which there is room at first
_NUMBERS = (float, int, np.number, np.bool_)

NAN = float("nan")


class _Book:
    """The account of a run: `apps.signals.classic.Portfolio`.

    Rows before `_done` are marked. At `_met` the loop was stopped before the row's decision; in the rows after it
    nothing has happened but their marks, so the account stands as the class sees it at any of them.
    """

    def __init__(self, strategy: Strategy, prepared: Prepared, options: Options) -> None:
        sizing = options.sizing or strategy.sizing
        self._asked = f"{strategy.source}: {strategy.name}"
        channels = len(prepared.channels)
        rows = prepared.market.close.shape[1]
        self._prepared = prepared
        self._places = {name: i for i, name in enumerate(prepared.channels)}
        self._swap = swap_rates(options)
        self._rules = rules_of(options, sizing, channels)
        # A new target at a close comes before a rebalancing there, so at a row that is met `decide` does both.
        self._undecided = self._rules._replace(band=NAN)
        self.specs = prepared.specs(options)
        self.curve = np.empty(rows)
        capacity = min(2 * rows * channels, _FILLS) + 16 * channels
        self.desk: Desk = open_desk(options.cash, channels, TICKETS if self._rules.hedging else 1, capacity)
        self._targets = new_targets(channels)
        account, books, tickets = (part.view(np.ndarray) for part in self.desk[:3])
        self._changed = (account, books, tickets, self._targets.version)  # by a kernel, besides the fills
        self._cash, self._n_fills = account["cash"], account["n_fills"]
        self._quantity, self._live = books["quantity"], books["live"]
        self._said: list[tuple[Any, ...]] = []  # (row, channel, and the fields of the target)
        self._done = 0
        self._met = -1
        self.row = 0
        self.rebalances = self._rules.band == self._rules.band
        self.returned: dict[str, Any] = dict.fromkeys(prepared.channels)  # the last opinions, while they hold
        self.wanted: dict[str, Target] = {}
        self._last: dict[str, Target] = {}  # of several channels: what was wanted last, and how often that has changed
        self._versions = 0
        if channels == 1:
            self._loop, self._decide = single.events, decide_one
        else:
            self._loop, self._decide = specialise(several.events, say_several, "classic"), decide_several

    @property
    def equity(self) -> float:
        """Equity at the last close, in account currency."""
        self._meet()
        return self.curve.item(self.row)

    @property
    def cash(self) -> float:
        """Cash, in account currency."""
        self._meet()
        return float(self._cash.item(0))

    def position(self, channel: str | None = None) -> float:
        """Return the lots held, signed."""
        self._meet()
        return float(self._quantity.item(self._index(channel)))

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

    def hear(self, channel: str, opinion: Any) -> None:
        """Want what the class has returned."""
        self.returned[channel] = opinion
        if not isinstance(opinion, Target):
            opinion = Target(opinion, WEIGHT, MARKET, NAN, NAN, NAN, NAN, NAN, GTC, 0, 0)
        self._take(channel, opinion)

    def decide(self) -> None:
        """Take in what is newly wanted at the close of the current row, or rebalance there."""
        for channel, target in self.wanted.items():
            if len(self._places) > 1:
                if target.value != target.value or not _differs(target, self._last.get(channel)):
                    continue
                self._last[channel] = target
                self._versions += 1
            version = target.version if len(self._places) == 1 else self._versions
            self._said.append((self.row, self._index(channel), *target[:-1], version))
        self.wanted.clear()
        if self.row >= self._done:
            if len(self._said) >= _SAID:
                self._run(self._rules, self.row + 1)
        elif self.row > self._met:
            if self._said:
                self._done = self.row  # the loop comes by again, to the same mark, and takes it in
        elif self._said or self.rebalances:
            self._trade(self._decide, self._rules, self.curve, self.row)
            self._done = self.row + 1

    def finish(self) -> None:
        """Run what is left."""
        if self._done < self.curve.size:
            self._run(self._rules, self.curve.size)

    def _meet(self) -> None:
        """Run the loop to the current row, up to where the class is asked there."""
        if self.row < self._done:
            return
        if not self._said and not self._live.any():
            ahead = max(_AHEAD, self.row - self._met)
            span = (self._done, min(self.row + ahead, self.curve.size))
            market = self._prepared.market
            self._done = stay(market, self.desk, self.specs, self._rules, self._swap, self.curve, span)
            if self.row < self._done:
                return
        if self.rebalances and self._done < self.row:
            self._run(self._rules, self.row)
        self._run(self._undecided, self.row + 1)
        self._met = self.row

    def _run(self, rules: Rules, end: int) -> None:
        self._trade(self._loop, rules, self._swap, self.curve, (self._done, end))
        self._done = end

    def _trade(self, kernel: Callable[..., Any], rules: Rules, *rest: Any) -> None:
        """Call a kernel that may book fills, with what was said; again from the start if there was no room for them."""
        said = self._said.copy()
        self._said.clear()
        before = [part.copy() for part in self._changed]
        while True:
            kernel(self._prepared.market, self._opinions(said), self.desk, self.specs, rules, *rest)
            needed, room = self._n_fills.item(0), self.desk.fills.size
            if needed <= room:
                return
            for part, was in zip(self._changed, before, strict=True):
                part[...] = was
            fills = np.zeros(2 * needed, FILL_DTYPE)
            fills[:room] = self.desk.fills
            self.desk = self.desk._replace(fills=fills.view(np.recarray))

    def _opinions(self, said: list[tuple[Any, ...]]) -> tuple[Any, Any]:
        """Return what was said as the loop takes it."""
        if len(self._places) == 1:
            rows = np.array([each[0] for each in said], np.int64)
            return rows, np.array([each[2:] for each in said], TARGET_DTYPE)
        records: Any = np.array(said, SAID_DTYPE)
        records["closed"] = self._prepared.close_times(records["closed"])
        return Said(records, np.zeros(1, np.int64), self._targets), 0

    def _want(self, channel: str | None, mode: int, value: float, bracket: tuple[float, float, float]) -> None:
        name = self._prepared.channels[self._index(channel)]
        self.returned[name] = None
        self._take(name, Target(value, mode, MARKET, NAN, NAN, *bracket, GTC, 0, 0))

    def _take(self, channel: str, target: Target) -> None:
        for name, value in zip(Target._fields, target, strict=True):
            if not isinstance(value, _NUMBERS) and not _is_number(value):
                closed = np.datetime64(int(self._prepared.close_times(self.row)), "ns").astype("datetime64[s]")
                raise StrategyError(
                    f"{self._asked}: the target given at {closed} for {channel} has {name}={value!r}: write a number"
                )
        self.wanted[channel] = target

    def _index(self, channel: str | None) -> int:
        if channel is None and len(self._places) == 1:
            return 0
        if channel not in self._places:
            raise StrategyError(f"there is no channel {channel!r}; this run has {', '.join(self._places)}")
        return self._places[channel]


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, str)


def simulate_class(strategy: Strategy, params: Any, prepared: Prepared, options: Options) -> Run:
    """Return the run of a class strategy. Raises StrategyError for what goes wrong inside it, ChannelsError."""
    book = _Book(strategy, prepared, options)
    with strategy_errors(strategy.source):
        instance = strategy.init(params, len(prepared.channels))
        instance.portfolio = book
        wanted = tuple(channel.instrument for channel in instance.initialize(params) or ())
    if wanted and wanted != prepared.channels:
        raise ChannelsError(
            f"{strategy.name} asks for {', '.join(wanted)}, it was given {', '.join(prepared.channels)}"
        )
    begun = running_seconds()
    with strategy_errors(strategy.source):
        if len(prepared.channels) == 1:
            _drive_single(instance, book, prepared)
        else:
            _drive_several(instance, book, prepared)
        book.finish()
    check_targets(strategy, prepared, book.desk)
    return Run(book.desk, book.specs, Written(book.curve), running_seconds() - begun)


def _drive_single(instance: Any, book: _Book, prepared: Prepared) -> None:
    event, wanted, returned, rebalances = instance.event, book.wanted, book.returned, book.rebalances
    name = prepared.channels[0]
    for book.row, bar in enumerate(_bars(prepared, 0)):
        opinion = event(bar)
        if opinion is not None and opinion != returned[name]:
            book.hear(name, opinion)
        if wanted or rebalances:
            book.decide()


def _drive_several(instance: Any, book: _Book, prepared: Prepared) -> None:
    event, wanted, returned, rebalances = instance.event, book.wanted, book.returned, book.rebalances
    names = prepared.channels
    streams = [_bars(prepared, i) for i in range(len(names))]
    complete = int(np.isnan(prepared.market.close).sum(axis=1).max())  # from here on all channels have a bar
    for book.row, bars in enumerate(zip(*streams, strict=True)):
        data = dict(zip(names, bars, strict=True))
        if book.row < complete:
            data = {name: bar for name, bar in data.items() if bar.close == bar.close}
        for name, opinion in (event(data) or {}).items():
            if opinion is not None and opinion != returned.get(name):
                book.hear(name, opinion)
        if wanted or rebalances:
            book.decide()


def _differs(target: Target, last: Target | None) -> bool:
    return last is None or any(a != b and not (a != a and b != b) for a, b in zip(target, last, strict=True))


def _bars(prepared: Prepared, i: int) -> Iterator[Bar]:
    """Return channel i's bars, row by row, as Python numbers; a row without a bar of its own repeats the last close."""
    rows = range(0, prepared.market.close.shape[1], _BLOCK)
    return chain.from_iterable(map(partial(_block, prepared, i), rows))


def _block(prepared: Prepared, i: int, first: int) -> Iterator[Bar]:
    market = prepared.market
    rows = slice(first, first + _BLOCK)
    closes = market.close[i, rows].tolist()
    columns = zip(
        prepared.close_times(rows).tolist(),
        market.open[i, rows].tolist(),
        market.high[i, rows].tolist(),
        market.low[i, rows].tolist(),
        closes,
        market.volume[i, rows].tolist() if market.volume.size else repeat(NAN),
        market.bid_close[i, rows].tolist() if market.bid_close.size else closes,
        market.ask_close[i, rows].tolist() if market.ask_close.size else closes,
        strict=False,
    )
    # `Bar._make` would do the same through a Python call for each bar.
    return map(partial(tuple.__new__, Bar), columns)
