"""A set leaves the app while its feed grows: each bar is decided on once, and every account gets what follows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.kafka import Cluster
from tests.fault.service import Service, delete_topics, join_kafka
from tests.fault.system import System, closes
from tests.fault.test_feeds_service import WATCHED, Grown
from tests.fault.test_pipeline import ACCOUNTS, check_that_nothing_was_lost_or_doubled
from tests.fault.test_processes import define_trend
from tests.fault.test_shadow import is_followed, status


class Followed:
    """A system whose set has bars of a file that grows, and the service of signals beside it."""

    def __init__(self, system: System, service: Service, file: Grown) -> None:
        self.system, self.service, self.file = system, service, file

    def grow(self, bars: int) -> None:
        """Let bars come, and wait until the set has applied them all, here and where it is led."""
        self.file.grow(bars)
        self.system.wait_for("the set", lambda: len(self.applied()) >= self.file.count)

    def applied(self, database: str = "signals") -> list[int]:
        return list(closes(self.system, database, "signals.bars-applied.v1"))

    def leads(self) -> dict[str, str]:
        return {each["key"]: each["leads"] for each in status(self.system, "signals")["keys"]}

    def extract(self, action: str, what: str = "signals", *options: str) -> str:
        return self.system.manage("extract", action, what, "--why", "to try it", *options)

    def level(self) -> None:
        self.system.wait_for("the follower", lambda: is_followed(self.system, "signals"))

    def check(self) -> None:
        """Check that each bar was decided on once, that the sides never differed, and all that holds of orders."""
        applied = self.applied()
        assert len(applied) == self.file.count
        assert applied == sorted(set(applied))
        check_that_nothing_was_lost_or_doubled(self.system)
        sums = status(self.system, "signals")["last_hour"]
        assert (sums["differing"], sums["problems"], sums["digests_differing"]) == (0, 0, 0)
        assert "BROKEN" not in self.system.manage("extract", "verify", "signals")
        assert "Traceback" not in self.service.log()


@pytest.fixture
def followed(system: System, kafka: Cluster, tmp_path: Path) -> Iterator[Followed]:
    name = join_kafka(system, kafka, signals="signals_service")
    service, file = Service(system, "signals"), Grown(tmp_path)
    made = Followed(system, service, file)
    define_trend(system)
    system.manage("accounts", "open", "DEMO", "--count", str(ACCOUNTS), "--client", "demo", "--deposit", "100000")
    system.manage("accounts", "subscribe", "DEMO", "--count", str(ACCOUNTS), "--set", "trend")
    system.manage("feeds", "add", "--interval", "1h", "--instrument", f"OANDA:EURUSD={file.path}")
    system.manage("feeds", "start", "oanda")
    system.manage("topics", "apply", "--with", "signals")
    service.migrate()
    system.start()
    made.grow(30)
    made.extract("shadow")
    service.start()
    seed = ("extract", "seed", "signals", "--seconds", "5")
    system.wait_for("followers", lambda: "NO FOLLOWER" not in system.tried(*seed))
    yield made
    service.end()
    delete_topics(kafka, name)


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
