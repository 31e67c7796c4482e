"""A strategy's hash changes with whatever its compiled code is made of."""

import hashlib
import sys
from pathlib import Path

import pytest

from apps.signals.code_hash import code_hash
from apps.signals.interface import get_strategy, list_strategies

STRATEGY = """
import sys
sys.path.insert(0, {folder!r})
from {helper} import line
from apps.signals.interface import strategy

@strategy()
def own(state, bar, params):
    return line(bar.close)
"""
HELPER = """
from {deeper} import factor
from trading.compiled import kernel

@kernel
def line(x):
    return x * factor()
"""
DEEPER = """
from trading.compiled import kernel

@kernel
def factor():
    return {value}
"""


def _write(folder: Path, value: float) -> Path:
    folder.mkdir()
    names = {"helper": f"helper_{folder.name}", "deeper": f"deeper_{folder.name}"}
    (folder / f"{names['deeper']}.py").write_text(DEEPER.format(value=value))
    (folder / f"{names['helper']}.py").write_text(HELPER.format(**names))
    path = folder / "own.py"
    path.write_text(STRATEGY.format(folder=str(folder), **names))
    return path


def test_a_kernel_two_imports_away_changes_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = _write(tmp_path / "a", 1.0)
    before = get_strategy(str(path)).code_hash
    (tmp_path / "a" / "deeper_a.py").write_text(DEEPER.format(value=2.0))
    assert code_hash(get_strategy(str(path)).on_bar, path) != before


@pytest.mark.parametrize("name", list_strategies())
def test_shipped_strategy_depends_on_its_own_file_alone(name: str) -> None:
    strategy = get_strategy(name)
    assert strategy.code_hash == hashlib.sha256(strategy.source.read_bytes()).hexdigest()[:16]
