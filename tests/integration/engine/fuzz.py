"""Random runs from a seed: bars, targets and options of every kind, the same ones in every process."""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.backtest.interface import Result, run
from apps.signals.interface import ClassStrategy, Strategy
from tests.integration.engine.scripted import HOUR_NS, MONDAY, NAN, Replaying, as_class, replay, replay_several
from trading.instruments import Instrument
from trading.targets import DAY, FOK, GTC, GTD, IOC, LIMIT, LOTS, MARKET, STOP, STOP_LIMIT, WEIGHT, Target


@dataclass(frozen=True)
class Case:
    """What a random run is made of. `script` is by row, or by (row, channel) where there are several channels."""

    seed: int
    bars: dict[str, dict[str, Any]]
    script: dict[Any, Target]
    instrument: Instrument
    options: dict[str, Any]

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels."""
        return tuple(self.bars)

    def as_class(self, looks: Container[int] = ()) -> Replaying:
        """The class form of the strategy, looking at its portfolio at the rows in `looks`."""
        return Replaying(self.script, self.channels, looks)

    def strategy(self) -> Strategy:
        """The compiled strategy that gives the script."""
        rows = sum(each["time"].size for each in self.bars.values())
        rows = max([rows, *(1 + (place[0] if isinstance(place, tuple) else place) for place in self.script)])
        if len(self.bars) == 1:
            return replay(self.script, rows)
        return replay_several(self.script, rows, len(self.bars))

    def run(self, rows: int | None = None, *, instance: ClassStrategy | None = None, **changes: Any) -> Result:
        """Return the run of the first `rows` bars of every channel (default: all), of `instance` where there is one."""
        bars = {name: {key: column[:rows] for key, column in each.items()} for name, each in self.bars.items()}
        strategy = self.strategy() if instance is None else as_class(instance, len(bars))
        given: Any = next(iter(bars.values())) if len(bars) == 1 else bars
        options = {**self.options, **changes}
        if len(bars) > 1:
            options["instruments"] = dict.fromkeys(bars, self.instrument)
        else:
            options["instruments"] = self.instrument
        return run(strategy, given, interval="1h", **options)


def random_case(seed: int, channels: int = 1, rows: int = 60) -> Case:
    """Return the case of this seed."""
    rng = np.random.default_rng(seed)
    instrument = _instrument(rng)
    quoted = bool(rng.random() < 0.3)
    bars = {
        f"C{i}" if channels > 1 else "bars": random_bars(rng, rows, instrument.tick_size, quoted)
        for i in range(channels)
    }
    if channels > 1 and rng.random() < 0.5:
        for name in list(bars)[1:]:
            kept = np.sort(rng.choice(rows, size=rng.integers(rows // 2, rows), replace=False))
            bars[name] = {key: column[kept] for key, column in bars[name].items()}
    places: list[Any] = [(t, i) for t in range(rows) for i in range(channels)] if channels > 1 else list(range(rows))
    chance = rng.choice([0.05, 0.2, 0.6])
    prices = [_mid(each)[: rows // 2].mean() for each in bars.values()]
    script: dict[Any, Target] = {}
    last: dict[int, Target] = {}
    for place in places:
        if rng.random() < chance:
            i = place[1] if channels > 1 else 0
            t = place[0] if channels > 1 else place
            near = _mid(bars["bars"])[t] if channels == 1 else prices[i]
            target = _target(rng, float(near), t)
            if target != last.get(i):  # the same again is a new version to those that count them, and not to the others
                script[place] = last[i] = target
    return Case(seed, bars, script, instrument, random_options(rng))


def _mid(bars: dict[str, Any]) -> Any:
    return bars["close"] if "close" in bars else (bars["bid_close"] + bars["ask_close"]) / 2


def _instrument(rng: np.random.Generator) -> Instrument:
    tick, step = ((0.01, 1.0), (0.05, 0.1), (0.0, 0.0), (0.0, 0.0), (0.0, 0.1), (0.01, 0.0))[rng.integers(6)]
    return Instrument(
        "V:X",
        asset_class="equity",
        tick_size=tick,
        lot_step=step,
        lot_min=float(rng.choice([0.0, 5.0 * step])),
        contract_size=float(rng.choice([1.0, 1.0, 5.0])),
        margin_rate=float(rng.choice([0.0, 0.0, 0.3])),
        calendar="24x7",
    )


def random_bars(rng: np.random.Generator, rows: int, tick: float = 0.0, quoted: bool = False) -> dict[str, Any]:
    """Return hourly bars of a random walk with gaps and, now and then, a crash; as quotes if `quoted`."""
    sigma = rng.choice([0.002, 0.01, 0.05])
    steps = rng.standard_normal(rows) * sigma
    if rng.random() < 0.3:
        steps[rng.integers(rows)] += rng.choice([-1.5, 1.0])
    close = 100 * np.exp(np.cumsum(steps))
    opened = np.concatenate(([100.0], close[:-1])) * np.exp(
        rng.standard_normal(rows) * sigma * (rng.random(rows) < 0.5)
    )
    high = np.maximum(opened, close) * (1 + rng.exponential(sigma, rows))
    low = np.minimum(opened, close) * (1 - np.minimum(0.5, rng.exponential(sigma, rows)))
    if tick:
        per_unit = round(1 / tick)
        opened, close = (np.maximum(1, np.rint(each * per_unit)) / per_unit for each in (opened, close))
        low = np.maximum(1, np.floor(np.minimum(np.minimum(low, opened), close) * per_unit)) / per_unit
        high = np.ceil(np.maximum(np.maximum(high, opened), close) * per_unit) / per_unit
    bars: dict[str, Any] = {"time": MONDAY + np.arange(rows, dtype=np.int64) * HOUR_NS}
    prices = {"open": opened, "high": high, "low": low, "close": close}
    if quoted:
        for name, column in prices.items():
            bars[f"bid_{name}"] = column
            bars[f"ask_{name}"] = column + 4 * (tick or 0.01)
    else:
        bars |= prices
    bars["volume"] = np.rint(rng.exponential(400.0, rows))
    return bars


def _target(rng: np.random.Generator, near: float, t: int) -> Target:
    def price(spread: float = 0.02) -> float:
        return round(near * float(np.exp(rng.standard_normal() * spread)), 3)

    by_lots = rng.random() < 0.4
    value = float(rng.choice([0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 2.5])) * (300.0 if by_lots else 1.0)
    entry = int(rng.choice([MARKET, MARKET, MARKET, LIMIT, STOP, STOP_LIMIT]))
    side = 1.0 if value > 0 else -1.0
    bracket = rng.random(3) < 0.4
    return Target(
        value,
        LOTS if by_lots else WEIGHT,
        entry,
        NAN if entry == MARKET else price(),
        price() if entry == STOP_LIMIT else NAN,
        near * (1 - side * abs(rng.standard_normal()) * 0.03) if bracket[0] else NAN,
        near * (1 + side * abs(rng.standard_normal()) * 0.03) if bracket[1] else NAN,
        near * 0.02 if bracket[2] else NAN,
        int(rng.choice([GTC, GTC, GTC, DAY, IOC, FOK, GTD])),
        MONDAY + (t + int(rng.integers(1, 6))) * HOUR_NS,
        0,
    )


def random_options(rng: np.random.Generator) -> dict[str, Any]:
    """Return options of a run, each left out more often than not."""
    choices: dict[str, list[Any]] = {
        "cash": [100_000.0, 1_000.0, 30.0],
        "fill": ["close"],
        "sizing": ["weights", "equal", "percent:40", "lots:200", "risk:1", "vol:15", "kelly:0.5", "all-in"],
        "size_at": ["decision"],
        "rebalance": [0.01, 0.1],
        "accounting": ["hedging"],
        "leverage": [3.0, 0.5],
        "margin_call": [0.0, 1.0],
        "fee_bps": [5.0, 30.0],
        "fee_per_share": [0.01],
        "fee_per_lot": [0.07],
        "fee_minimum": [1.0, 20.0],
        "spread": [0.02],
        "slippage_bps": [3.0],
        "slippage_fixed": [0.01],
        "slippage_volume": [0.05],
        "volume_cap": [0.1, 1.0],
        "swap_long_pct": [5.0],
        "swap_short_pct": [-2.0],
    }
    return {name: values[rng.integers(len(values))] for name, values in choices.items() if rng.random() < 0.35}


def digest_of(result: Result) -> str:
    """Return what a run came to, to the last bit."""
    import hashlib

    parts = (result.fill_records, result.trade_records, result.equity, result.exposure)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()
