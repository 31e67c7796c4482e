"""Feeds leave the app while their files grow: each bar reaches the sets once, in order, whichever side closes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.kafka import Cluster
from tests.fault.followed import WATCHED, Followed, following
from tests.fault.system import System
from tests.fault.test_shadow import status


@pytest.fixture
def followed(system: System, kafka: Cluster, tmp_path: Path) -> Iterator[Followed]:
    yield from following(system, kafka, tmp_path, "feeds")


def hear_both(followed: Followed) -> None:
    """Let bars come until the service's own source gives them too: each is compared twice from then on."""
    before = status(followed.system, "feeds")

    def is_heard() -> bool:
        followed.grow(2)
        now = status(followed.system, "feeds")
        records = now["keys"][0]["compared"] - before["keys"][0]["compared"]
        return now["last_hour"]["same"] - before["last_hour"]["same"] >= records + 10

    followed.system.wait_for("the service's own source", is_heard)


def test_a_feed_goes_out_its_service_dies_and_it_comes_back_by_itself_with_what_came_meanwhile(followed):
    system = followed.system
    followed.grow(40)
    followed.level()
    hear_both(followed)
    assert "handed over in" in followed.extract("canary", "feeds/oanda", *WATCHED)
    assert followed.leads() == {"oanda": "service"}
    followed.grow(60)
    followed.service.kill()
    followed.grow(30)
    system.wait_for("the guard", lambda: status(system, "feeds")["stage"] == "shadow")
    assert "guard: nobody holds" in system.manage("extract", "log", "feeds")
    assert followed.leads() == {"oanda": "app"}
    followed.service.start()
    followed.grow(30)
    followed.level()
    followed.check()


@pytest.mark.soak
def test_feeds_leave_the_app_for_good_and_come_back_all_the_same(followed):
    system = followed.system
    followed.grow(40)
    followed.level()
    followed.extract("live", "feeds", *WATCHED)
    followed.grow(40)
    followed.level()
    followed.extract("extract", "feeds", *WATCHED)
    system.stop()
    system.environment["BANYAN_EXTRACTED"] = "feeds"
    followed.service.stop()
    followed.service.start()
    system.start()
    assert "feeds" not in [line.split()[0] for line in system.manage("run", "--list").splitlines()]
    followed.grow(40)
    assert followed.leads() == {"oanda": "service"}
    assert "BROKEN" not in system.manage("extract", "verify", "feeds")
    system.stop()
    del system.environment["BANYAN_EXTRACTED"]
    system.start()
    followed.extract("rollback", "feeds")
    followed.level()
    assert "handed over in" in followed.extract("rollback", "feeds")
    assert followed.leads() == {"oanda": "app"}
    followed.grow(40)
    followed.extract("rollback", "feeds")
    followed.grow(20)
    followed.check()
