"""Every strategy in docs/strategies.md works as it stands there."""

import pytest

from apps.signals.interface import get_strategy
from apps.signals.testing import failed_checks
from tests.documents import python_blocks, text_of
from trading import indicators

GUIDE = text_of("docs/strategies.md")
BLOCKS = python_blocks("docs/strategies.md")


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
