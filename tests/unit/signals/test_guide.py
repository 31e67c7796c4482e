"""Every strategy in docs/strategies.md works as it stands there."""

import re
from pathlib import Path

import pytest

from apps.signals.interface import get_strategy
from apps.signals.testing import failed_checks
from trading import indicators

GUIDE = (Path(__file__).parents[3] / "docs/strategies.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_shows_a_kernel_two_channels_and_a_class():
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_a_strategy_of_the_guide_passes_every_check(block, tmp_path):
    path = tmp_path / "from_the_guide.py"
    path.write_text(block)
    assert failed_checks(get_strategy(str(path))) == []


def test_the_guide_names_every_indicator():
    kernels = {name for name in indicators.__all__ if hasattr(getattr(indicators, name), "py_func")}
    assert {name for name in kernels if not name.endswith("_columns") and f"`{name}" not in GUIDE} == set()
