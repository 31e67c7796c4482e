"""Finding, loading and binding strategies."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.signals.interface import (
    Choice,
    Float,
    Int,
    StrategyError,
    StrategyParameterError,
    UnknownStrategyError,
    get_strategy,
)
from apps.signals.testing import said_on

ROOT = Path(__file__).parents[3]

OWN = """
from typing import NamedTuple
from apps.signals.interface import Int, NoState, strategy
from trading.bars import Bar

class Params(NamedTuple):
    level: int

@strategy(parameters=(Int("level", 5, low=0, high=9, doc="level"),))
def above(_state: NoState, bar: Bar, params: Params) -> float:
    return 1.0 if bar.close > params.level else 0.0
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_a_shipped_strategy_is_found_by_name_always_the_same():
    assert get_strategy("sma_cross") is get_strategy("sma_cross")


def test_an_unknown_strategy_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownStrategyError, match="did you mean sma_cross"):
        get_strategy("sma_crss")
    with pytest.raises(UnknownStrategyError, match="there are atr_channel"):
        get_strategy("zzz")


@pytest.mark.parametrize("form", ["{}", "{}:above"])
def test_a_strategy_is_loaded_from_a_file(own, form):
    strategy = get_strategy(form.format(own))
    assert said_on(strategy, [4.0, 6.0]).tolist() == [0.0, 1.0]
    assert get_strategy(form.format(own)) is strategy


def test_a_changed_file_is_loaded_anew(own):
    assert said_on(get_strategy(str(own)), [4.0]).tolist() == [0.0]
    before = get_strategy(str(own)).code_hash
    own.write_text(OWN.replace("1.0 if", "2.0 if").replace("else 0.0", "else 3.0"))
    assert said_on(get_strategy(str(own)), [4.0]).tolist() == [3.0]
    assert get_strategy(str(own)).code_hash != before


def test_parameters_and_state_of_a_file_can_be_pickled(own):
    params = get_strategy(str(own)).bind(level=3)
    assert pickle.loads(pickle.dumps(params)) == params


def test_a_file_is_refused_when_it_does_not_say_which(own, tmp_path):
    with pytest.raises(UnknownStrategyError, match="no strategy file"):
        get_strategy(str(tmp_path / "nowhere.py"))
    with pytest.raises(UnknownStrategyError, match="has no strategy 'below'"):
        get_strategy(f"{own}:below")
    own.write_text(OWN + OWN.replace("def above", "def again"))
    with pytest.raises(UnknownStrategyError, match=r"has above, again: say which, .*own.py:above"):
        get_strategy(str(own))
    own.write_text("x = 1\n")
    with pytest.raises(UnknownStrategyError, match="declares no strategy"):
        get_strategy(str(own))


def test_importing_the_registry_loads_neither_django_nor_pandas_nor_other_strategies():
    code = (
        "import sys, apps.signals.interface as s; s.get_strategy('sma_cross'); s.list_strategies();"
        "print([m for m in sys.modules if m in ('django', 'pandas', 'apps.signals.strategies.ema_cross')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_defaults_are_bound_and_given_values_replace_them():
    strategy = get_strategy("sma_cross")
    assert strategy.bind() == (20, 50, 0)
    assert strategy.bind(fast=5, side="both") == (5, 50, 1)
    assert strategy.values(strategy.bind(side="both")) == {"fast": 20, "slow": 50, "side": "both"}


@pytest.mark.parametrize("value", [30, 30.0, np.int64(30), np.float64(30.0)])
def test_whole_numbers_of_every_kind_are_taken(value):
    fast = get_strategy("sma_cross").bind(fast=value).fast
    assert (fast, type(fast)) == (30, int)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"fsat": 1}, "sma_cross has no parameter fsat; did you mean fast?"),
        ({"xyz": 1}, "it has fast, slow, side"),
        ({"fast": 2.5}, "fast=2.5 is not a whole number"),
        ({"fast": "20"}, "fast='20' is not a whole number"),
        ({"fast": True}, "fast=True is not a whole number"),
        ({"fast": float("nan")}, "fast=nan is not a whole number"),
        ({"fast": 0}, r"fast=0 is out of bounds \(1 to 5000\)"),
        ({"side": "short"}, "side=short is not one of long, both"),
        ({"side": 2}, "side=2 is not one of long, both"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_it_may_be(given, complaint):
    with pytest.raises(StrategyParameterError, match=complaint):
        get_strategy("sma_cross").bind(**given)


def test_a_wrong_combination_is_refused():
    with pytest.raises(StrategyParameterError, match="macd_trend: fast=30 is not below slow=26"):
        get_strategy("macd_trend").bind(fast=30)


def test_text_is_parsed_as_the_parameter_is_declared():
    strategy = get_strategy("bollinger_reversion")
    assert strategy.parse("window", "30") == 30
    assert strategy.parse("width", "1.5") == 1.5
    assert strategy.parse("side", "both") == "both"
    for name, text in (("window", "3.5"), ("width", "x"), ("width", "nan"), ("side", "up"), ("nothing", "1")):
        with pytest.raises(StrategyParameterError, match=name):
            strategy.parse(name, text)


def test_a_declared_default_or_sweep_value_out_of_bounds_is_refused():
    with pytest.raises(StrategyParameterError, match="out of bounds"):
        Int("n", 11, low=1, high=10, doc="")
    with pytest.raises(StrategyParameterError, match="out of bounds"):
        Float("x", 1.0, low=0, high=2, sweep=(1, 3), doc="")
    with pytest.raises(StrategyParameterError, match="not one of"):
        Choice("side", "up", ("long", "both"), doc="")


def test_parameters_that_are_not_the_fields_of_params_are_refused(own):
    own.write_text(OWN.replace("    level: int", "    depth: int"))
    with pytest.raises(StrategyError, match=r"own.py:\d+.*Params has the fields \('depth',\), the parameters are"):
        get_strategy(str(own))


def test_an_unannotated_params_is_refused(own):
    own.write_text(OWN.replace("params: Params", "params"))
    with pytest.raises(StrategyError, match=r"own.py:\d+.*annotate the last argument of above"):
        get_strategy(str(own))


def test_crossing_lines_know_the_weight_below():
    strategy = get_strategy("sma_cross")
    assert strategy.lines.below(strategy, strategy.bind()) == 0.0
    assert strategy.lines.below(strategy, strategy.bind(side="both")) == -1.0
