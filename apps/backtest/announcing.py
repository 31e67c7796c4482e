"""Says, once in a process and only where it happens, that kernels are being compiled, and has another process help."""

import sys
from functools import lru_cache

from trading.compiled import before_compiling


@lru_cache(maxsize=1)
def announce_compiling() -> None:
    """Print one line to stderr when this process first compiles a kernel."""
    before_compiling(_announce)


def _announce() -> None:
    from apps.backtest.compiling_beside import begin

    print("compiling for this machine, some seconds; what is compiled is kept …", file=sys.stderr, flush=True)  # noqa: T201
    begin()
