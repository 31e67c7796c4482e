from collections.abc import Iterator

import pytest

from apps.reporting.following import Follower
from apps.reporting.projecting import Projector
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
