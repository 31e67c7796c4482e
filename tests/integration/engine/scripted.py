"""Strategies that replay a table of targets, so that tests say bar by bar what is wanted and two loops do for all.

`replay` is for one channel and `replay_several` for several; both return a Strategy that `run` takes. Around them are
the few words in which the tests are written: bars from rows of numbers, targets, and fills as plain tuples.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.backtest.interface import Result, run
from apps.signals.interface import Channel, ClassStrategy, NoParams, Strategy, strategy
from trading.bars import Bar, Floats, Slice
from trading.ledger import REASONS
from trading.targets import GTC, LIMIT, LOTS, MARKET, STOP, STOP_LIMIT, WEIGHT, Target, Targets, new_targets

NAN = float("nan")
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
MONDAY = 1_577_923_200_000_000_000 + 4 * DAY_NS  # 2020-01-06T00:00Z

NUMBERS = ("value", "price", "limit_price", "stop_loss", "take_profit", "trail")
KINDS = ("mode", "entry", "time_in_force", "expires", "version")


class Script(NamedTuple):
    row: NDArray[np.int64]
    numbers: Floats  # [rows, 6], in the order of NUMBERS
    kinds: NDArray[np.int64]  # [rows, 5], in the order of KINDS


class ScriptOfSeveral(NamedTuple):
    row: NDArray[np.int64]
    numbers: Floats  # [rows, channels, 6]
    kinds: NDArray[np.int64]  # [rows, channels, 5]
    targets: Targets


def _blank(rows: int) -> Script:
    return Script(np.zeros(1, np.int64), np.full((rows, 6), np.nan), np.zeros((rows, 5), np.int64))


@strategy(state=lambda _params: _blank(1), settles="never")
def scripted(state: Script, bar: Bar, params: NoParams) -> Target:
    """Give the target that the table has for this row."""
    t = state.row[0]
    state.row[0] = t + 1
    number, kind = state.numbers[t], state.kinds[t]
    return Target(
        number[0], kind[0], kind[1], number[1], number[2], number[3], number[4], number[5], kind[2], kind[3], kind[4]
    )


@strategy(
    state=lambda _params, channels: ScriptOfSeveral(
        np.zeros(1, np.int64), np.full((1, channels, 6), np.nan), np.zeros((1, channels, 5), np.int64),
        new_targets(channels),
    ),
    settles="never", channels=None, sizing="weights",
)  # fmt: skip
def scripted_several(state: ScriptOfSeveral, bars: Slice, params: NoParams) -> Targets:
    """Give the targets that the table has for this row, each as a new version."""
    t = state.row[0]
    state.row[0] = t + 1
    targets = state.targets
    for i in range(targets.value.size):
        number, kind = state.numbers[t, i], state.kinds[t, i]
        if np.isnan(number[0]):
            continue
        targets.value[i] = number[0]
        targets.price[i] = number[1]
        targets.limit_price[i] = number[2]
        targets.stop_loss[i] = number[3]
        targets.take_profit[i] = number[4]
        targets.trail[i] = number[5]
        targets.mode[i] = kind[0]
        targets.entry[i] = kind[1]
        targets.time_in_force[i] = kind[2]
        targets.expires[i] = kind[3]
        targets.version[i] += 1
    return targets


def replay(script: Mapping[int, Target], rows: int) -> Strategy:
    """Return a strategy that gives `script[row]` at the close of that row, and has no opinion at all others."""
    table = _blank(rows)
    for row, target in script.items():
        _write(target, table.numbers[row], table.kinds[row])
    return replace(scripted, init=lambda _params, _channels: table._replace(row=np.zeros(1, np.int64)))


def replay_several(script: Mapping[tuple[int, int], Target], rows: int, channels: int) -> Strategy:
    """Return a strategy of several channels that gives `script[row, channel]` at the close of that row."""
    numbers, kinds = np.full((rows, channels, 6), np.nan), np.zeros((rows, channels, 5), np.int64)
    for place, target in script.items():
        _write(target, numbers[place], kinds[place])

    def initial(_params: Any, count: int) -> ScriptOfSeveral:
        return ScriptOfSeveral(np.zeros(1, np.int64), numbers, kinds, new_targets(count))

    return replace(scripted_several, init=initial)


def _write(target: Target, numbers: Any, kinds: Any) -> None:
    numbers[:] = [getattr(target, name) for name in NUMBERS]
    kinds[:] = [getattr(target, name) for name in KINDS]


def lots(value: float, **fields: Any) -> Target:
    """Return a target of `value` lots, at market unless `fields` say otherwise."""
    return _NONE._replace(value=value, mode=LOTS, **fields)


def weight(value: float, **fields: Any) -> Target:
    """Return a target of `value` times equity, at market unless `fields` say otherwise."""
    return _NONE._replace(value=value, mode=WEIGHT, **fields)


def limit(value: float, price: float, **fields: Any) -> Target:
    """Return a target of `value` lots entered by a limit order."""
    return lots(value, entry=LIMIT, price=price, **fields)


def stop(value: float, price: float, **fields: Any) -> Target:
    """Return a target of `value` lots entered by a stop order."""
    return lots(value, entry=STOP, price=price, **fields)


def stop_limit(value: float, price: float, limit_price: float, **fields: Any) -> Target:
    """Return a target of `value` lots entered by a stop-limit order."""
    return lots(value, entry=STOP_LIMIT, price=price, limit_price=limit_price, **fields)


_NONE = Target(NAN, WEIGHT, MARKET, NAN, NAN, NAN, NAN, NAN, GTC, 0, 0)


def bars_of(rows: Sequence[Sequence[float]], start: int = MONDAY, interval: int = DAY_NS) -> dict[str, Any]:
    """Return bars from rows of (open, high, low, close) or (…, volume)."""
    table = np.array(rows, np.float64)
    names = ("open", "high", "low", "close", "volume")[: table.shape[1]]
    bars: dict[str, Any] = {name: table[:, i].copy() for i, name in enumerate(names)}
    bars["time"] = start + np.arange(len(rows), dtype=np.int64) * interval
    return bars


def flat(price: float, count: int = 1) -> list[tuple[float, float, float, float]]:
    """Return `count` rows in which nothing happens at `price`."""
    return [(price,) * 4] * count


def quotes_of(rows: Sequence[Sequence[float]], spread: float, **options: int) -> dict[str, Any]:
    """Return bid/ask bars whose bids are `rows`, with asks `spread` above."""
    bids = bars_of(rows, **options)
    bars: dict[str, Any] = {"time": bids.pop("time")}
    for name, column in bids.items():
        bars[f"bid_{name}"] = column
        bars[f"ask_{name}"] = column + spread
    return bars


def trade(rows: Any, script: Mapping[int, Target], **options: Any) -> Result:
    """Return the run of one channel over `rows` (of numbers, or bars) with the targets of `script`."""
    bars = rows if isinstance(rows, dict) else bars_of(rows)
    return run(replay(script, bars["time"].size), bars, **options)


def trade_several(bars: Mapping[str, Any], script: Mapping[tuple[int, int], Target], **options: Any) -> Result:
    """Return the run of several channels with the targets of `script`, by row of the common time axis and channel."""
    rows = sum(each["time"].size for each in bars.values())
    return run(replay_several(script, rows, len(bars)), dict(bars), **options)


def fills(result: Result) -> list[tuple[int, float, float, str]]:
    """Return the fills as (bar, lots, price, reason)."""
    return [
        (int(each["bar"]), float(each["quantity"]), float(each["price"]), REASONS[each["reason"]])
        for each in result.fill_records
    ]


def fills_by_channel(result: Result) -> list[tuple[int, int, float, float, str]]:
    """Return the fills as (bar, channel, lots, price, reason)."""
    return [
        (row[0], int(each["channel"]), *row[1:]) for row, each in zip(fills(result), result.fill_records, strict=True)
    ]


class Replaying(ClassStrategy):
    """The class form of both: gives `script[row]` (one channel) or `script[row, channel]`.

    At the rows in `looks` it first looks at its portfolio; what it sees is in `seen`: (equity, cash, positions).
    """

    def __init__(self, script: Mapping[Any, Target], channels: tuple[str, ...], looks: Container[int] = ()) -> None:
        self.script, self.channels, self.looks, self.row = script, channels, looks, -1
        self.seen: dict[int, tuple[float, float, list[float]]] = {}

    def initialize(self, params: Any) -> Sequence[Channel]:
        return ()

    def event(self, data: Any) -> Any:
        self.row += 1
        if self.row in self.looks:
            book = self.portfolio
            self.seen[self.row] = (book.equity, book.cash, [book.position(name) for name in self.channels])
        if len(self.channels) == 1:
            return self.script.get(self.row)
        found = ((name, self.script.get((self.row, i))) for i, name in enumerate(self.channels))
        return {name: target for name, target in found if target is not None}


def as_class(instance: ClassStrategy, channels: int) -> Strategy:
    """Return a class strategy whose object is `instance`, to be run once."""
    base = scripted if channels == 1 else scripted_several
    return replace(base, kind="class", on_bar=None, init=lambda _params, _count: instance)
