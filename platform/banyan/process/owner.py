"""The name under which a process holds leases, and whether the process of such a name is gone."""

import os
import socket
from pathlib import Path

from banyan.machine import boot_name


def own_name() -> str:
    """Return this process's name: host, boot of the machine, process id and when that process began."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{boot_name()}/{pid}/{_began(pid)}"


def is_gone(name: str) -> bool:
    """Tell whether the process of that name has certainly ended; of other machines nothing is certain."""
    host, _, rest = name.partition("/")
    boot, _, rest = rest.partition("/")
    pid, _, began = rest.partition("/")
    if host != socket.gethostname() or not boot or not pid.isdigit() or not boot_name():
        return False
    return boot != boot_name() or _began(int(pid)) != began


def _began(pid: int) -> str:
    """Return when a process began, in ticks since the machine was started; "" when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
