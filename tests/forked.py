"""Processes that die in tests, forked from one that has loaded what they need: beginning anew is most of what they do.

They are as others are to those that talk to them or kill them; only how they began is another way.
"""

import os
import sys
import traceback
from importlib import import_module, reload
from multiprocessing import get_context
from typing import Any

from tests.patience import PATIENCE_SECONDS

_CONTEXT: Any = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.forked_ahead"])


class Forked:
    """A process that is a module's `main()`, with arguments and variables of its own; `output` is what it prints."""

    def __init__(self, module: str, *arguments: str, **variables: str) -> None:
        end, its_end = _CONTEXT.Pipe(duplex=False)
        given = (module, arguments, {**os.environ, **variables}, its_end)
        self._process = _CONTEXT.Process(target=_be, args=given)
        self._process.start()
        its_end.close()
        self.output = os.fdopen(os.dup(end.fileno()))
        end.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return int(self._process.pid)

    def kill(self) -> None:
        """Kill it as the machine would."""
        self._process.kill()

    def poll(self) -> int | None:
        """Return its exit code, or minus the signal that killed it; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Return its exit code once it has ended, which must be within so many seconds."""
        self._process.join(seconds)
        code = self.poll()
        assert code is not None, f"{self._process} still runs after {seconds} s"
        self.output.close()
        return code


def _be(module: str, arguments: tuple[str, ...], variables: dict[str, str], output: Any) -> None:
    os.environ.clear()
    os.environ.update(variables)
    from banyan import crash

    reload(crash)  # which reads once where this process is to die
    os.dup2(output.fileno(), 1)
    output.close()
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.argv = [module, *arguments]
    try:
        code = import_module(module).main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
