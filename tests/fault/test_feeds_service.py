"""Feeds leave the app while their files grow: each bar reaches the sets once, in order, whichever side closes it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.kafka import Cluster
from tests.fault.conftest import a_quarter
from tests.fault.service import Service, delete_topics, join_kafka
from tests.fault.system import System, closes
from tests.fault.test_pipeline import ACCOUNTS, check_that_nothing_was_lost_or_doubled
from tests.fault.test_processes import define_trend
from tests.fault.test_shadow import is_followed, status

WATCHED = ("--minutes", "0", "--records", "20")


class Grown:
    """A file of real bars of an hour that grows, and which the sources of both sides read."""

    def __init__(self, folder: Path) -> None:
        self._header, *self._lines = a_quarter(folder).read_text().splitlines(keepends=True)
        self.path = folder / "grown.csv"
        self.path.write_text(self._header)
        self.count = 0

    def grow(self, bars: int) -> None:
        with self.path.open("a") as file:
            file.write("".join(self._lines[self.count : self.count + bars]))
        self.count += bars


class Followed:
    """A system with a feed from a file, and the service of feeds beside it."""

    def __init__(self, system: System, service: Service, file: Grown) -> None:
        self.system, self.service, self.file = system, service, file

    def grow(self, bars: int) -> None:
        """Let bars come, and wait until the sets have applied them all."""
        self.file.grow(bars)
        self.system.wait_for("the sets", lambda: len(self.applied()) >= self.file.count)

    def hear_both(self) -> None:
        """Let bars come until the service's own source gives them too: each is compared twice from then on."""
        before = status(self.system, "feeds")

        def is_heard() -> bool:
            self.grow(2)
            now = status(self.system, "feeds")
            records = now["keys"][0]["compared"] - before["keys"][0]["compared"]
            return now["last_hour"]["same"] - before["last_hour"]["same"] >= records + 10

        self.system.wait_for("the service's own source", is_heard)

    def applied(self) -> list[int]:
        return list(closes(self.system, "signals", "signals.bars-applied.v1"))

    def leads(self) -> dict[str, str]:
        return {each["key"]: each["leads"] for each in status(self.system, "feeds")["keys"]}

    def extract(self, action: str, what: str = "feeds", *options: str) -> str:
        return self.system.manage("extract", action, what, "--why", "to try it", *options)

    def check(self) -> None:
        """Check that each bar came once, that the sides never differed, and all that holds of orders."""
        applied = self.applied()
        assert len(applied) == self.file.count
        assert applied == sorted(set(applied))
        check_that_nothing_was_lost_or_doubled(self.system)
        sums = status(self.system, "feeds")["last_hour"]
        assert (sums["differing"], sums["problems"], sums["digests_differing"]) == (0, 0, 0)
        assert "BROKEN" not in self.system.manage("extract", "verify", "feeds")
        assert "Traceback" not in self.service.log()


@pytest.fixture
def followed(system: System, kafka: Cluster, tmp_path: Path) -> Iterator[Followed]:
    name = join_kafka(system, kafka, feeds="feeds_service")
    service, file = Service(system, "feeds"), Grown(tmp_path)
    made = Followed(system, service, file)
    define_trend(system)
    system.manage("accounts", "open", "DEMO", "--count", str(ACCOUNTS), "--client", "demo", "--deposit", "100000")
    system.manage("accounts", "subscribe", "DEMO", "--count", str(ACCOUNTS), "--set", "trend")
    system.manage("feeds", "add", "--interval", "1h", "--instrument", f"OANDA:EURUSD={file.path}")
    system.manage("feeds", "start", "oanda")
    system.manage("topics", "apply", "--with", "feeds")
    service.migrate()
    system.start()
    made.grow(30)
    made.extract("shadow", "feeds/oanda")
    service.start()
    seed = ("extract", "seed", "feeds", "--seconds", "5")
    system.wait_for("followers", lambda: "NO FOLLOWER" not in system.tried(*seed))
    yield made
    service.end()
    delete_topics(kafka, name)


def test_a_feed_goes_out_its_service_dies_and_it_comes_back_by_itself_with_what_came_meanwhile(followed):
    system = followed.system
    followed.grow(40)
    system.wait_for("the follower", lambda: is_followed(system, "feeds"))
    followed.hear_both()
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
    system.wait_for("the follower", lambda: is_followed(system, "feeds"))
    followed.check()


@pytest.mark.soak
def test_feeds_leave_the_app_for_good_and_come_back_all_the_same(followed):
    system = followed.system
    followed.grow(40)
    system.wait_for("the follower", lambda: is_followed(system, "feeds"))
    followed.extract("live", "feeds", *WATCHED)
    followed.grow(40)
    system.wait_for("the app following", lambda: is_followed(system, "feeds"))
    followed.extract("extract", "feeds", *WATCHED)
    system.stop()
    system.environment["BANYAN_EXTRACTED"] = "feeds"
    followed.service.stop()
    followed.service.start()
    system.start()
    assert "feeds" not in [line.split()[0] for line in system.manage("run", "--list").splitlines()]
    followed.grow(40)
    system.stop()
    del system.environment["BANYAN_EXTRACTED"]
    system.start()
    followed.extract("rollback", "feeds")
    system.wait_for("the app following", lambda: is_followed(system, "feeds"))
    assert "handed over in" in followed.extract("rollback", "feeds")
    assert followed.leads() == {"oanda": "app"}
    followed.grow(40)
    followed.extract("rollback", "feeds")
    followed.grow(20)
    followed.check()
