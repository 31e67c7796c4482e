"""What goes wrong in a strategy is told with its own file and line."""

import pytest

from apps.signals.interface import StrategyError, get_strategy, strategy_errors
from apps.signals.testing import said_on

HEAD = """from typing import NamedTuple
import numpy as np
from apps.signals.interface import NoParams, NoState, strategy
from trading.bars import Bar
from trading.compiled import kernel

@kernel
def half(x):
    return x.nothing / 2

@strategy()
def broken(_state: NoState, bar: Bar, _params: NoParams) -> float:
"""


def broken(tmp_path, body, head=HEAD):
    path = tmp_path / "broken.py"
    path.write_text(head + "".join(f"    {line}\n" for line in body.splitlines()))
    return path


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ("x = bar.clos\nreturn x", 13, "clos"),
        ("return bar.close + 'a'", 13, "add"),
        ("return nothing(bar.close)", 13, "nothing"),
        ("return np.no_such(bar.close)", 13, "no_such"),
        ("x = 1\nreturn open('file').read()", 14, "open"),
        ("return 1.0 if bar.close > 0 else 'flat'", 13, "unify"),
        ("return half(bar)", 9, "nothing"),
    ],
)
def test_what_cannot_be_compiled_is_told_in_one_line(tmp_path, body, line, reason):
    path = broken(tmp_path, body)
    with pytest.raises(StrategyError, match=reason) as caught:
        said_on(get_strategy(str(path)), [1.0])
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))


def test_what_a_compiled_strategy_raises_is_told_with_its_line(tmp_path):
    path = broken(tmp_path, "if bar.close > 2:\n    raise ValueError('too high')\nreturn 1.0")
    with pytest.raises(StrategyError, match="ValueError: too high") as caught:
        said_on(get_strategy(str(path)), [1.0, 2.0, 3.0])
    assert str(caught.value).startswith(f"{path}:14: ")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("def (:\n", 1, "invalid syntax"),
        ("x = 1\nimport no_such_module\n", 2, "ModuleNotFoundError"),
        ("x = 1\n\nx.y\n", 3, "AttributeError"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_its_line(tmp_path, text, line, reason):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(StrategyError, match=reason) as caught:
        get_strategy(str(path))
    assert str(caught.value).startswith(f"{path}:{line}: ")


def test_a_state_that_cannot_be_made_is_told_with_its_line(tmp_path):
    path = broken(tmp_path, "return 1.0", HEAD.replace("@strategy()", "@strategy(state=lambda params: 1 / 0)"))
    with pytest.raises(StrategyError, match=r"broken.py:11: ZeroDivisionError"):
        said_on(get_strategy(str(path)), [1.0])


def test_an_error_elsewhere_passes_as_it_is(tmp_path):
    with pytest.raises(KeyError), strategy_errors(tmp_path / "some.py"):
        {}["x"]
