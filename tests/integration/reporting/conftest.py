from collections.abc import Iterator

import pytest
from django.db import connections

from apps.reporting.following import Follower
from apps.reporting.projecting import TABLES, Projector
from tests.integration.reporting.recorded import RecordedDesk


@pytest.fixture
def desk() -> RecordedDesk:
    return RecordedDesk()


@pytest.fixture
def follower(desk: RecordedDesk) -> Iterator[Follower]:
    made = Follower(desk.logs, Projector())
    yield made
    made.close()


def read_all(follower: Follower) -> None:
    while follower.step():
        pass
    assert follower.damaged == {}


def tables() -> dict[str, list[str]]:
    """Everything that the read models hold."""
    held = {}
    with connections["reporting"].cursor() as cursor:
        for name in TABLES:
            cursor.execute(f"SELECT * FROM reporting_{name}")
            held[name] = sorted(map(repr, cursor.fetchall()))
    return held
