"""Runs a strategy over bars by itself, without an engine: what does it say at each close?"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from apps.signals.declaration import Strategy
from apps.signals.errors import strategy_errors
from trading.bars import Bar, Bars, Floats, Slice
from trading.compiled import often
from trading.targets import GTC, MARKET, WEIGHT, Target, Targets

_FIELDS = ("open", "high", "low", "close", "volume", "bid", "ask")


class Tape(NamedTuple):
    """The bars of k channels on one axis of n close times, oldest first; every column but `time` has the shape (n, k).

    Where a channel has no bar at a time its last one stands, nan before its first, and `fresh` is 0.
    """

    names: tuple[str, ...]
    time: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    bid: Floats
    ask: Floats
    fresh: NDArray[np.int64]

    def changed(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> "Tape":
        """Return the tape whose columns, `time` and `fresh` too, are what `change` makes of these."""
        columns: list[Any] = [change(column) for column in self[1:]]
        return Tape(self.names, *columns)

    def last(self, rows: int) -> "Tape":
        """Return the tape of the last `rows` times, as copies."""
        return self.changed(lambda column: column[-rows:].copy())


def tape_of(named: Mapping[str, Bars]) -> Tape:
    """Return the tape of the channels given, in that order."""
    closes = [bars.time + bars.interval for bars in named.values()]
    time = np.unique(np.concatenate(closes))
    shape = (time.size, len(closes))
    columns = {name: np.full(shape, np.nan) for name in _FIELDS}
    fresh = np.zeros(shape, np.int64)
    for channel, (bars, closed) in enumerate(zip(named.values(), closes, strict=True)):
        at = np.searchsorted(closed, time, side="right") - 1
        since = int(np.argmax(at >= 0))
        at = at[since:]
        fresh[since:, channel] = closed[at] == time[since:]
        for name in _FIELDS:
            values = getattr(bars, {"bid": "bid_close", "ask": "ask_close"}.get(name, name))
            if values is None and name in {"bid", "ask"}:
                values = bars.close
            if values is not None:
                columns[name][since:, channel] = values[at]
    return Tape(tuple(named), time, **columns, fresh=fresh)


def drive(
    strategy: Strategy, params: Any, tape: Tape, rows: range | None = None, state: Any = None, *, plain: bool = False
) -> tuple[Floats, Any]:
    """Return what the strategy says at each of `rows` of the tape, all by default, and the state it is left in.

    What it says is a float64 array (rows, channels * 11): the fields of `Target` in their order, each for all channels;
    a plain number is the value of a market target. `state` goes on from an earlier drive. `plain` calls the Python
    function instead of the compiled one. Raises StrategyError for what goes wrong inside the strategy.
    """
    channels = len(tape.names)
    rows = range(tape.time.size) if rows is None else rows
    said = np.empty((len(rows), channels * len(Target._fields)))
    with strategy_errors(strategy.source), np.errstate(all="ignore"):
        state = strategy.init(params, channels) if state is None else state
        hear = _listener(strategy, params, tape, state, plain)
        for index, row in enumerate(rows):
            said[index] = hear(row)
    return said, state


def _listener(strategy: Strategy, params: Any, tape: Tape, state: Any, plain: bool) -> Callable[[int], Any]:
    if strategy.kind == "class":
        return _class_listener(state, params, tape)
    on_bar = getattr(strategy.on_bar, "py_func", strategy.on_bar) if plain else often(strategy.on_bar)
    columns = tape[2:]
    if strategy.channels == 1:

        def hear_one(row: int) -> Any:
            bar = Bar(tape.time[row], *(column[row, 0] for column in columns[:7]))
            return _flat(on_bar(state, bar, params), 1)

        return hear_one

    def hear_many(row: int) -> Any:
        bars = Slice(tape.time[row], *(column[row] for column in columns))
        return _flat(on_bar(state, bars, params), len(tape.names))

    return hear_many


def _flat(said: Any, channels: int) -> Any:
    if isinstance(said, Targets):
        return np.concatenate(said)
    target = said if isinstance(said, Target) else _weight(said)
    return np.repeat(np.array(target, np.float64), channels)


def _weight(value: Any) -> Target:
    nan = np.nan
    return Target(nan if value is None else value, WEIGHT, MARKET, nan, nan, nan, nan, nan, GTC, 0, 0)


class Wishes:
    """What a portfolio is asked for, by the names of its channels."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.asked: dict[str, Target] = {}

    def target_weight(self, weight: float, channel: str | None = None, **bracket: float) -> None:
        """Remember a weight."""
        self.asked[channel or self.names[0]] = _weight(weight)._replace(**bracket)

    def target_lots(self, lots: float, channel: str | None = None, **bracket: float) -> None:
        """Remember lots."""
        self.asked[channel or self.names[0]] = _weight(lots)._replace(mode=1, **bracket)


class Onlooker(Wishes):
    """A portfolio that holds nothing and remembers what it was asked for."""

    equity = 100_000.0
    cash = 100_000.0

    def position(self, channel: str | None = None) -> float:
        """Return the lots held: none."""
        return 0.0


def targets_said(instance: Any, wishes: Wishes, bars: dict[str, Bar]) -> Floats:
    """Return what a class says of bars, float64[11, channels]: what it returns, and what it asked its portfolio for."""
    wishes.asked.clear()
    said = instance.event(bars[wishes.names[0]] if len(bars) == 1 else bars)
    given = said if isinstance(said, Mapping) else {} if said is None else {wishes.names[0]: said}
    asked = {**wishes.asked, **given}
    targets = [each if isinstance(each, Target) else _weight(each) for each in map(asked.get, wishes.names)]
    return np.array(targets, np.float64).T


def _class_listener(instance: Any, params: Any, tape: Tape) -> Callable[[int], Any]:
    if not isinstance(getattr(instance, "portfolio", None), Onlooker):
        instance.portfolio = Onlooker(tape.names)
        instance.initialize(params)
    onlooker = cast("Onlooker", instance.portfolio)

    def hear(row: int) -> Any:
        time, columns = int(tape.time[row]), tape[2:9]
        bars = {
            name: Bar(time, *(float(column[row, channel]) for column in columns))
            for channel, name in enumerate(tape.names)
        }
        return targets_said(instance, onlooker, bars).ravel()

    return hear
