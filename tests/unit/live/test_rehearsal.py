import re
from pathlib import Path

from apps.execution.kernels import booking, netting, reports, sizing, values
from apps.risk.kernels import checking, levels, losses, rates, reserving
from settings.warming import rehearse
from trading.compiled import Kernel

MODULES = (booking, netting, reports, sizing, values, checking, levels, losses, rates, reserving)


def test_a_rehearsal_makes_ready_the_kernels_that_most_live_decisions_call() -> None:
    rehearse()
    kernels = [
        getattr(module, name)
        for module in MODULES
        for name in re.findall(r"^@kernel\ndef (\w+)", Path(module.__file__).read_text(), flags=re.MULTILINE)
    ]
    ready = set().union(*(_with_what_it_calls(each) for each in kernels if each.is_ready))
    assert kernels
    missed = sorted({each.__qualname__ for each in kernels} - {each.__qualname__ for each in ready})
    assert len(missed) <= len(kernels) / 3, missed


def _with_what_it_calls(kernel: Kernel) -> set[Kernel]:
    known = kernel.py_func.__globals__
    named = [known.get(name) for name in kernel.py_func.__code__.co_names]
    return {kernel}.union(*(_with_what_it_calls(each) for each in named if isinstance(each, Kernel)))
