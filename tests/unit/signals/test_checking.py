"""check_strategy passes what is sound and catches, by name and bar, what is not."""

import numpy as np
import pytest

from apps.signals import checking
from apps.signals.driving import drive, tape_of
from apps.signals.interface import get_strategy, list_strategies
from apps.signals.samples import sample_tapes
from apps.signals.testing import failed_checks

HEAD = """from pathlib import Path
from typing import Any, Mapping, NamedTuple
import numpy as np
from apps.signals.interface import ClassStrategy, CrossingLines, Int, NoParams, NoState, strategy
from trading.bars import Bar, Floats, Slice
from trading.indicators import ema, ema_state, sma, sma_columns, sma_crossings, sma_state
from trading.targets import Targets, new_targets

class Counter(NamedTuple):
    bars: Floats

class Ema(NamedTuple):
    ema: Floats
"""


@pytest.fixture
def written(tmp_path):
    def write(body, **data):
        for name, array in data.items():
            np.save(tmp_path / f"{name}.npy", array)
        path = tmp_path / "under_test.py"
        path.write_text(HEAD + body)
        return get_strategy(str(path))

    return write


def spy(rows=400):
    return sample_tapes(get_strategy("sma_cross"), rows)["SPY 1d"]


def findings(strategy, tape):
    return {each.check: each for each in checking.check_strategy(strategy, strategy.bind(), tape)}


def failed(strategy, tape=None):
    found = findings(strategy, spy() if tape is None else tape)
    return {name: each.found for name, each in found.items() if each.holds is False}


@pytest.mark.parametrize("name", list_strategies())
def test_every_shipped_strategy_passes(name):
    assert failed_checks(get_strategy(name)) == []


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("sma_cross", {"side": "both", "fast": 30, "slow": 7}),
        ("ema_cross", {"side": "both"}),
        ("momentum_rank", {"top": 2, "lookback": 20}),
        ("atr_channel", {"side": "both", "width": 0.5}),
        ("rsi_reversion", {"side": "both", "window": 3}),
        ("vol_target_trend", {"side": "both"}),
    ],
)
def test_shipped_strategies_pass_with_other_parameters(name, params):
    assert failed_checks(get_strategy(name), **params) == []


PEEKING = """
FUTURE = np.load(Path(__file__).with_name("future.npy"))

@strategy(state=lambda params: Counter(np.zeros(1)), settles="never")
def peeking(state: Counter, bar: Bar, _params: NoParams) -> float:
    state.bars[0] += 1
    return 1.0 if FUTURE[min(int(state.bars[0]), FUTURE.size - 1)] > bar.close else 0.0
"""


def test_a_strategy_that_reads_an_array_of_the_future_is_caught(written):
    tape = spy()
    complaint = failed(written(PEEKING, future=tape.close[:, 0]), tape)["look ahead"]
    assert "reads FUTURE, 400 values" in complaint


def test_a_strategy_whose_kernels_read_an_array_of_the_future_is_caught(written):
    body = """
from trading.compiled import kernel

FUTURE = np.load(Path(__file__).with_name("future.npy"))

@kernel
def later(row: int) -> float:
    return FUTURE[min(row, FUTURE.size - 1)]

@strategy(state=lambda params: Counter(np.zeros(1)), settles="never")
def peeking(state: Counter, bar: Bar, _params: NoParams) -> float:
    state.bars[0] += 1
    return later(int(state.bars[0])) / 1000.0
"""
    assert "reads FUTURE, 400 values" in failed(written(body, future=spy().open[:, 0]))["look ahead"]


def test_a_strategy_that_hides_the_future_in_its_state_is_caught(written):
    body = """
@strategy(state=lambda params: Counter(np.load(Path(__file__).with_name("future.npy"))), settles="never")
def peeking(state: Counter, bar: Bar, _params: NoParams) -> float:
    row = int(state.bars[0])
    state.bars[0] += 1
    return 1.0 if state.bars[min(row + 2, state.bars.size - 1)] > bar.close else 0.0
"""
    tape = spy()
    complaint = failed(written(body, future=np.concatenate([[0.0], tape.close[:, 0]])), tape)["look ahead"]
    assert "foresees the next bar's return" in complaint


def test_a_strategy_that_reads_beyond_its_bars_is_caught(written):
    body = """
class State(NamedTuple):
    targets: Targets

@strategy(state=lambda params, channels: State(new_targets(channels)), channels=2)
def beyond(state: State, bars: Slice, _params: NoParams) -> Targets:
    state.targets.value[0] = bars.close[len(bars.close)] / bars.close[0]
    return state.targets
"""
    tape = sample_tapes(get_strategy("pairs_zscore"), 400)["SPY QQQ 1d"]
    strategy = written(body)
    said, _ = drive(strategy, strategy.bind(), tape)
    holds, found = checking.look_ahead(strategy, strategy.bind(), tape, said)
    assert holds is False
    assert "differs when the bars after bar 99" in found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ('centred, "fast", "slow"', "bar 3 (2019-09-05T00:00Z): the columns say"),
        ('sma_columns, "fast", "slow", crossings=late', "bar 4 (2019-09-06T00:00Z): the crossings say"),
    ],
)
def test_lines_that_are_not_those_of_on_bar_are_caught(written, lines, found):
    body = """
from trading.compiled import kernel

class Params(NamedTuple):
    fast: int
    slow: int

class State(NamedTuple):
    fast: Floats
    slow: Floats

@kernel
def centred(close: Floats, window: int, out: Floats) -> None:
    sma_columns(close, window, out)
    out[:-1] = out[1:]

@kernel
def late(close: Floats, fast: int, slow: int, below: float, rows: Floats, weights: Floats) -> int:
    count = sma_crossings(close, fast, slow, below, rows, weights)
    rows[:count] += 1
    return count

@strategy(
    parameters=(Int("fast", 2, low=1, high=9, doc=""), Int("slow", 5, low=1, high=9, doc="")),
    state=lambda p: State(sma_state(p.fast), sma_state(p.slow)),
    warmup=lambda p: p.slow,
    lines=CrossingLines({lines}),
)
def cross(state: State, bar: Bar, params: Params) -> float:
    fast, slow = sma(state.fast, bar.close), sma(state.slow, bar.close)
    return np.nan if np.isnan(slow) else 1.0 if fast > slow else 0.0
"""
    assert failed(written(body.replace("{lines}", lines)))["lines"].startswith(found)


def test_an_opinion_before_the_declared_warm_up_is_caught(written):
    body = """
@strategy(state=lambda params: Counter(np.zeros(1)), warmup=lambda params: 3, settles="never")
def hasty(state: Counter, bar: Bar, _params: NoParams) -> float:
    state.bars[0] += 1
    return 1.0 if state.bars[0] >= 2 else np.nan
"""
    complaint = failed(written(body))["warm up"]
    assert complaint.startswith("bar 1 (")
    assert "the declared warm-up is 3" in complaint


def test_a_long_memory_that_is_not_declared_is_caught(written):
    body = """
@strategy(state=lambda params: Ema(ema_state(20)), warmup=lambda params: 20{settles})
def smoothed(state: Ema, bar: Bar, _params: NoParams) -> float:
    return ema(state.ema, bar.close) / bar.close
"""
    assert "declare settles=" in failed(written(body.format(settles="")))["settling"]
    assert failed(written(body.format(settles=", settles=lambda params: 200"))) == {}


def test_a_class_that_shares_what_it_remembers_is_not_deterministic(written):
    body = """
@strategy(settles="never")
class Shared(ClassStrategy):
    seen: list[float] = []

    def initialize(self, params: NoParams) -> tuple[()]:
        return ()

    def event(self, data: Bar | Mapping[str, Bar]) -> float | None:
        self.seen.append(data.close)
        return float(len(self.seen))
"""
    assert "a second run says something else" in failed(written(body))["determinism"]


def test_a_class_strategy_is_checked_as_far_as_it_can_be(written):
    body = """
@strategy(warmup=lambda params: 2)
class Rising(ClassStrategy):
    last = np.nan

    def initialize(self, params: NoParams) -> tuple[()]:
        return ()

    def event(self, data: Bar | Mapping[str, Bar]) -> float | None:
        last, self.last = self.last, data.close
        if last != last:
            return None
        self.portfolio.target_weight(0.5, stop_loss=data.low)
        return 1.0 if data.close > last else None
"""
    found = findings(written(body), spy())
    assert {name for name, each in found.items() if each.holds} == {
        "look ahead", "warm up", "settling", "determinism"
    }  # fmt: skip
    assert not any(each.holds is False for each in found.values())


def test_compiled_code_that_differs_from_plain_python_is_caught(written):
    body = """
class Params(NamedTuple):
    one: int

@strategy(parameters=(Int("one", 1, low=1, high=1, doc="1"),), state=lambda p: Counter(np.zeros(1)), settles="never")
def overflowing(state: Counter, bar: Bar, params: Params) -> float:
    state.bars[0] += 1
    return float((params.one << 62) * 4) if state.bars[0] > 3 else 0.0
"""
    assert failed(written(body))["plain python"].startswith("bar 3 (")


def test_a_difference_with_the_compiler_off_only_is_caught(written):
    body = """
from trading.compiled import kernel

@kernel
def wrapped(x: int) -> float:
    return float((x << 62) * 4)

@strategy()
def nested(_state: NoState, bar: Bar, _params: NoParams) -> float:
    return wrapped(1)
"""
    assert "with the compiler off" in failed(written(body))["plain python"]


def test_a_state_that_is_not_arrays_or_is_shared_is_caught(written):
    body = """
ZERO = np.zeros(1)

@strategy(state=lambda params: Counter({state}), settles="never")
def counting(state: Counter, bar: Bar, _params: NoParams) -> float:
    return 1.0
"""
    assert "state.bars is float, not an array" in failed(written(body.format(state="0.0")))["state arrays"]
    assert "array of float32" in failed(written(body.format(state="np.zeros(1, np.float32)")))["state arrays"]
    assert "the same array in two states" in failed(written(body.format(state="ZERO")))["state arrays"]


def test_bars_of_several_channels_are_laid_on_one_axis():
    spy_bars = sample_tapes(get_strategy("pairs_zscore"), 10)
    tape = spy_bars["SPY QQQ 1d"]
    assert tape.close.shape == (10, 2)
    assert tape.fresh.all()


def test_a_channel_keeps_its_last_bar_and_has_none_before_its_first():
    from apps.signals.testing import bars_of

    late = bars_of([5.0, 6.0])
    late = type(late)(**{name: getattr(late, name) for name in ("open", "high", "low", "close", "volume", "interval")},
                      time=late.time + late.interval)  # fmt: skip
    tape = tape_of({"A": bars_of([1.0, 2.0, 3.0, 4.0]), "B": late})
    assert np.array_equal(tape.close[:, 1], [np.nan, 5.0, 6.0, 6.0], equal_nan=True)
    assert tape.fresh[:, 1].tolist() == [0, 1, 1, 0]
