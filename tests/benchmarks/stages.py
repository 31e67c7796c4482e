"""How far a signal has come: the commits on its way from a bar to the broker, as the processes that made them tell.

Each commit of a stage is a line of 16 bytes (time in ns since 1970 UTC, number of the stage) at the end of a file
beside the socket that `BANYAN_BENCH_PROBE` names.
"""

import os
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from apps.execution.edge.entries import EntryKind
from apps.execution.edge.ledger import Ledger
from banyan.store import Store
from tests.benchmarks.tree import PROBE

STAGES = ("the bar", "the target", "orders requested", "orders approved", "orders released", "SENT")
_BY_INPUT = {
    b"feeds.receive-bars": 0,
    b"feeds.bar-closed": 1,
    b"signals.target-set": 2,
    b"execution.place-manual-order": 2,
    b"execution.orders-requested": 3,
    b"risk.orders-approved": 4,
}
_SENT = len(STAGES) - 1
_LINE = struct.Struct("!qq")


class Heard:
    """What is told, from now on."""

    def __init__(self) -> None:
        self._file = os.open(_told_in(), os.O_RDONLY | os.O_CREAT)

    def stages(self, handed_ns: int, accepted_ns: int) -> list[float | None]:
        """Return after how many seconds each stage had its last commit, between a bar and the last of its orders."""
        last: list[int | None] = [None] * len(STAGES)
        while told := os.read(self._file, 4_096 * _LINE.size):
            for at_ns, stage in _LINE.iter_unpack(told):
                if handed_ns < at_ns <= accepted_ns:
                    last[stage] = max(at_ns, last[stage] or 0)
        return [None if at_ns is None else (at_ns - handed_ns) / 1e9 for at_ns in last]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def tell_stages() -> None:
    """Let hosts and edges of this process, and of those that it forks, tell of their commits."""
    told = os.open(_told_in(), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    _after(Store, lambda batch: {_BY_INPUT.get(_input(each.header), -1) for each in batch.steps}, told)
    _after(Ledger, lambda _, lines, __: {_SENT if each.kind is EntryKind.SLICE else -1 for each in lines}, told)


def columns_of(signals: Sequence[Sequence[float | None]]) -> dict[str, list[float]]:
    """Return the seconds of each stage over all signals."""
    told = {name: [each[stage] for each in signals] for stage, name in enumerate(STAGES)}
    return {name: [each for each in seconds if each is not None] for name, seconds in told.items()}


def _told_in() -> Path:
    return Path(f"{os.environ[PROBE]}.stages")


def _after(kind: type[Any], stages: Callable[..., set[int]], told: int) -> None:
    commit = kind.commit

    def timed(self: Any, *what: Any) -> Any:
        moved = commit(self, *what)
        at_ns = time.time_ns()
        for stage in stages(*what) - {-1}:
            os.write(told, _LINE.pack(at_ns, stage))
        return moved

    kind.commit = timed


def _input(header: bytes) -> bytes:
    """Return the name of the input of a record, without its version."""
    return header.partition(b'"name":"')[2].partition(b".v")[0]
