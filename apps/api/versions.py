"""Reading one's own writes: a write answers with a version, and a read that names it waits until it is there."""

import time
from collections.abc import Callable

from apps.api.asking import Parameter
from apps.api.problems import Problem
from apps.api.tenancy import scope_of_client
from apps.execution.interface import Asked, applied
from apps.reporting import interface as reporting
from banyan.cursors import decoded, encoded

_WAIT_SECONDS = 1.0
_LOOK_SECONDS = 0.02


def version_of(asked: Asked) -> str:
    """Return the version by which a command is done."""
    return encoded([asked.shard, asked.id])


def _read(text: str) -> Asked:
    values = decoded(text, 2)
    if values is None or not all(isinstance(each, str) and len(each) <= 64 for each in values):
        raise ValueError("a version that a write answered with")
    return Asked(*values)


MIN_VERSION = Parameter(
    "min_version", _read, {"type": "string", "maxLength": 200}, "Wait, a second at most, for what a write did."
)

VERSION = Parameter(
    "version", _read, {"type": "string", "maxLength": 200}, "Only what this write led to, and wait as min_version does."
)
WAITING = frozenset({MIN_VERSION.name, VERSION.name})
"""Parameters of reads that may wait."""


def wait_for(asked: Asked, client: str) -> None:
    """Wait until read models have what was asked for. Raises Problem where that takes longer than a second.

    And where it was refused when its turn came, which a client ("": the firm) is told of its own accounts.
    """
    _wait(asked.shard, lambda: applied(asked))
    unmet = reporting.unmet(scope_of_client(client), [asked.id]).get(asked.id)
    if unmet is not None and unmet.is_refused:
        raise Problem("refused", unmet.words)


def wait_for_record(shard: str, number: int) -> None:
    """Wait until read models have a record of a shard's log. Raises Problem where that takes longer than a second."""
    _wait(shard, lambda: number)


def _wait(shard: str, number_of: Callable[[], int | None]) -> None:
    until = time.monotonic() + _WAIT_SECONDS
    number: int | None = None
    while True:
        number = number_of() if number is None else number
        if number is not None and reporting.marks().get("execution", {}).get(shard, 0) >= number:
            return
        if time.monotonic() >= until:
            raise Problem("version-awaited", headers={"Retry-After": "1"})
        time.sleep(_LOOK_SECONDS)
