"""Says, once in a process and only where it happens, that kernels are being compiled, which takes seconds."""

import sys
from functools import lru_cache
from typing import Any

from numba.core import event


class _Announcer(event.Listener):  # type: ignore[misc]
    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: Any) -> None:
        if not self._said:
            self._said = True
            print("compiling for this machine, some seconds; what is compiled is kept …", file=sys.stderr, flush=True)  # noqa: T201

    def on_end(self, event: Any) -> None:
        """Say nothing: the result speaks."""


@lru_cache(maxsize=1)
def announce_compiling() -> None:
    """Print one line to stderr when this process first compiles a kernel."""
    event.register("numba:compile", _Announcer())
