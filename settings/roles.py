"""What the system is made of when it runs: roles, their keys, and who gets which event."""

import os
import socket
from collections.abc import Sequence
from typing import Any

from banyan.clock import Clock
from banyan.context import Context
from banyan.host import Host, HostSettings, Route
from banyan.process import HostWorker, Role, Worker
from banyan.store import Store
from banyan.transport import LocalTransport

SHARDS: tuple[str, ...] = tuple(f"{number:02d}" for number in range(12))
"""The keys of risk and execution. Fixed for life: which shard an account is in follows from how many there are."""


def owner() -> str:
    """Return the name under which this process takes leases."""
    return f"{socket.gethostname()}/{os.getpid()}"
