"""What a new strategy starts from: a file that works, and its test."""

import keyword
import re
from pathlib import Path

from apps.signals.registry import list_strategies


class StrategyNameError(ValueError):
    """A name that a new strategy cannot have, or a file that is already there."""

    exit_code = 2  # of a command: wrong usage


_STRATEGY = '''"""Long while the close is above its average by a margin."""

from typing import NamedTuple

import numpy as np

from apps.signals.interface import Float, Int, strategy
from trading.bars import Bar, Floats
from trading.indicators import sma, sma_state


class Params(NamedTuple):
    """The parameters, as declared below and in that order. A Choice arrives as the index of its word."""

    window: int
    margin_pct: float


class State(NamedTuple):
    """What is remembered from bar to bar: arrays only, and NamedTuples of them."""

    average: Floats


@strategy(
    parameters=(
        Int("window", 50, low=2, high=5000, sweep=range(20, 201, 20), doc="bars in the average"),
        Float("margin_pct", 0.0, low=0.0, high=50.0, sweep=(0.0, 0.5, 1.0, 2.0), doc="percent above the average"),
    ),
    state=lambda params: State(sma_state(params.window)),
    warmup=lambda params: params.window,
)
def {name}(state: State, bar: Bar, params: Params) -> float:
    """Long while close > SMA(window) * (1 + margin_pct / 100), flat otherwise, decided at the close.

    Returns the share of equity to hold: 1.0 long, 0.0 flat, -1.0 short, nan for no opinion.
    """
    average = sma(state.average, bar.close)
    if np.isnan(average):
        return np.nan
    return 1.0 if bar.close > average * (1.0 + params.margin_pct / 100.0) else 0.0
'''

_TEST = '''"""Tests of {name}."""

from pathlib import Path

import numpy as np
import pytest

from apps.signals.interface import StrategyParameterError, get_strategy
from apps.signals.testing import failed_checks, said_on

STRATEGY = get_strategy(str(Path(__file__).with_name("{name}.py")))


def test_is_long_while_the_close_is_above_its_average() -> None:
    """The averages of two are 10.5, 11.5, 11, 9.5 from the second bar on."""
    said = said_on(STRATEGY, [10.0, 11.0, 12.0, 10.0, 9.0], window=2)
    np.testing.assert_array_equal(said, [np.nan, 1.0, 1.0, 0.0, 0.0])


def test_refuses_a_window_of_one_bar() -> None:
    """The declared bounds hold."""
    with pytest.raises(StrategyParameterError, match="window=1 is out of bounds"):
        STRATEGY.bind(window=1)


def test_passes_every_check_on_real_bars() -> None:
    """Look-ahead, warm-up, determinism, compiled equal to plain Python, and the rest of check_strategy."""
    assert not failed_checks(STRATEGY)
'''


def write_strategy(name: str, folder: Path) -> tuple[Path, Path]:
    """Write folder/name.py and folder/test_name.py, making the folder, and return both.

    Raises StrategyNameError for a name that is not a lower-case Python name or is taken, or a file that is there.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or keyword.iskeyword(name):
        raise StrategyNameError(
            f"{name!r} cannot be a strategy: use up to 40 lower-case letters, digits and _, as in my_trend"
        )
    if name in list_strategies():
        raise StrategyNameError(f"{name} is the name of a shipped strategy: choose another")
    path, test = folder / f"{name}.py", folder / f"test_{name}.py"
    for each in (path, test):
        if each.exists():
            raise StrategyNameError(f"{each} is already there and is left as it is: choose another name or --dir")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(_STRATEGY.format(name=name), encoding="utf-8")
    test.write_text(_TEST.format(name=name), encoding="utf-8")
    return path, test
