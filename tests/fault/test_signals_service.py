"""A set leaves the app while its feed grows: each bar is decided on once, and every account gets what follows."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from banyan.kafka import Cluster
from tests.fault.followed import WATCHED, Followed, following
from tests.fault.system import System
from tests.fault.test_processes import define_trend
from tests.unit.live import classes

CLASS = (f"{classes.__file__}:rising", "-p", "window=5")
SETS = {
    "compiled": define_trend,
    "cold": partial(define_trend, how=("--cold",)),
    "class": partial(define_trend, strategy=CLASS),
    "cold class": partial(define_trend, strategy=CLASS, how=("--cold",)),
}


@pytest.fixture
def followed(system: System, kafka: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Followed]:
    yield from following(system, kafka, tmp_path, "signals", SETS[getattr(request, "param", "compiled")])


@pytest.mark.soak
def test_a_set_goes_to_its_service_which_is_killed_goes_on_and_gives_it_back(followed):
    followed.grow(40)
    followed.level()
    assert "handed over in" in followed.extract("canary", "signals/trend", *WATCHED)
    assert followed.leads() == {"trend": "service"}
    followed.grow(40)
    followed.service.kill()
    followed.file.grow(20)
    followed.service.start()
    followed.grow(20)
    followed.level()
    assert "handed over in" in followed.extract("rollback", "signals/trend")
    assert followed.leads() == {"trend": "app"}
    followed.grow(30)
    followed.level()
    followed.check()


@pytest.mark.soak
def test_signals_leave_the_app_for_good_and_come_back_all_the_same(followed):
    system = followed.system
    followed.grow(40)
    followed.level()
    followed.extract("live", "signals", *WATCHED)
    followed.grow(40)
    followed.level()
    followed.extract("extract", "signals", *WATCHED)
    system.stop()
    system.environment["BANYAN_EXTRACTED"] = "signals"
    followed.service.stop()
    followed.service.start()
    system.start()
    assert "signals" not in [line.split()[0] for line in system.manage("run", "--list").splitlines()]
    before = len(followed.applied("signals_service"))  # its log begins with a seed
    followed.file.grow(40)
    system.wait_for("the service", lambda: len(followed.applied("signals_service")) == before + 40)
    system.stop()
    del system.environment["BANYAN_EXTRACTED"]
    system.start()
    followed.extract("rollback")
    followed.level()
    assert "handed over in" in followed.extract("rollback")
    assert followed.leads() == {"trend": "app"}
    followed.grow(40)
    followed.extract("rollback")
    followed.grow(20)
    followed.check()


@pytest.mark.soak
@pytest.mark.parametrize("followed", ["class", "cold", "cold class"], indirect=True)
def test_a_set_of_a_class_or_without_a_past_is_led_by_its_service_begins_anew_there_and_comes_back(followed):
    followed.grow(40)
    followed.level()
    assert "handed over in" in followed.extract("live", "signals", *WATCHED)
    assert followed.leads() == {"trend": "service"}
    followed.grow(40)
    assert followed.service.stop() == 0
    followed.file.grow(10)
    followed.service.start()
    followed.grow(20)
    followed.level()
    assert "0.00% differ" in followed.system.manage("extract", "noise", "signals")
    assert "handed over in" in followed.extract("rollback", "signals")
    assert followed.leads() == {"trend": "app"}
    followed.grow(30)
    followed.level()
    followed.check()
    followed.extract("rollback", "signals")
