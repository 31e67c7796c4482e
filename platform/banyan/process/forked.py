"""The first and the last thing that a forked process does, and the trace of where it is."""

import contextlib
import faulthandler
import logging
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from banyan.calls import CALLS
from banyan.process.usage import end_with_parent, limit_memory, name_process
from banyan.process.watchdog import Limits

_LOGGER = logging.getLogger(__name__)
_TRACE_SECONDS = 0.2


class Trace:
    """A file to which a process writes at SIGUSR1 where it is, even in the middle of code that does not return."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open for as long as the process runs)

    def listen(self) -> None:
        """Write where this process is, whenever it gets the signal."""
        faulthandler.register(signal.SIGUSR1, file=self._file, all_threads=True)

    def line_of(self, pid: int, place: str) -> str:
        """Return " at line N" where the process is in the file of `place` ("file:line"), "" where it cannot be seen."""
        path = place.rpartition(":")[0]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)
        time.sleep(_TRACE_SECONDS)
        self._file.seek(0)
        found = re.search(rf'File "{re.escape(path)}", line (\d+)', self._file.read().decode(errors="replace"))
        return f", at line {found[1]}" if path and found else ""

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def become_child(
    name: str, limits: Limits, memory: Any, trace: Trace, not_ours: Sequence[socket.socket], body: Callable[[], bool]
) -> NoReturn:
    """Run `body` in the process that has just been forked, under limits, and end it."""
    code = 1
    try:
        name_process(name)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        end_with_parent()
        for each in not_ours:
            each.close()
        CALLS.move_to(memory)
        trace.listen()
        limit_memory(limits.memory_mb)
        code = 0 if body() else 1
    except BaseException:
        _LOGGER.exception("a forked process failed")
    finally:
        os._exit(code)
