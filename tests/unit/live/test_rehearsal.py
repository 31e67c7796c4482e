import re
from pathlib import Path

from apps.execution.kernels import booking, netting, reports, sizing, values
from apps.risk.kernels import checking, levels, losses, rates, reserving
from settings.warming import rehearse

MODULES = (booking, netting, reports, sizing, values, checking, levels, losses, rates, reserving)


def test_a_rehearsal_compiles_the_kernels_that_most_live_decisions_call():
    rehearse()
    called = {
        f"{module.__name__}.{name}": bool(getattr(module, name).signatures)
        for module in MODULES
        for name in re.findall(r"^@kernel\ndef (\w+)", Path(module.__file__).read_text(), flags=re.MULTILINE)
    }
    assert called
    missed = sorted(name for name, is_compiled in called.items() if not is_compiled)
    assert len(missed) <= len(called) / 3, missed
