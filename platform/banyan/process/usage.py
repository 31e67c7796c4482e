"""What a process takes of its machine, and how it is kept to what it may take. Limits hold where there is /proc."""

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_SLACK_MB = 64
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


class Usage(NamedTuple):
    """Resident memory that is no file's, and the time that all threads together have been on a core."""

    megabytes: float
    cpu_seconds: float


def usage_of(pid: int) -> Usage | None:
    """Return what a process takes now; None where that cannot be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return None
    return Usage((int(resident) - int(shared)) * _PAGE / 2**20, (int(fields[11]) + int(fields[12])) / _TICKS)


def limit_memory(megabytes: int) -> None:
    """Let this process take no more than about `megabytes` beside what it has: asking for more gives MemoryError.

    The bound is a quarter above what a watchdog would end it for, who can say it better.
    """
    with contextlib.suppress(OSError, ValueError):
        taken = Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]
        most = (int(taken) + (megabytes + megabytes // 4 + _SLACK_MB) * 1024) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with_parent() -> None:
    """Let the system kill this process when its parent has gone, however it went; does nothing but on Linux."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def name_process(name: str) -> None:
    """Let `ps -o comm` show this process under a name, of which it keeps 15 bytes; does nothing but on Linux."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def step_back(niceness: int) -> None:
    """Let other processes go first; the session too, since Linux weighs sessions against each other."""
    if niceness:
        os.nice(niceness)
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness))
