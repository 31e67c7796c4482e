from collections.abc import Iterator

import pytest

from banyan.clock import VirtualClock
from tests.integration.edge.desk import SECOND, Desk
from tests.integration.edge.fake_broker import FakeBroker


@pytest.fixture
def fake() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(1_000 * SECOND)


@pytest.fixture
def desk(transactional_db: None, fake: FakeBroker, clock: VirtualClock) -> Iterator[Desk]:
    """An edge with a broker under the test's hand, and accounts 1 and 2 that may trade."""
    made = Desk([fake], clock=clock)
    made.ready(1, 2)
    yield made
    made.close()
