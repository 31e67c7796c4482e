"""A system whose set has bars of a file that grows, and a context of it as a service beside it."""

from collections.abc import Callable, Iterator
from pathlib import Path

from banyan.kafka import Cluster
from tests.fault.conftest import a_quarter
from tests.fault.service import Service, delete_topics, join_kafka, moved
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
    """A system with a feed from a file and a set, and the service of a context beside it."""

    def __init__(self, system: System, service: Service, file: Grown) -> None:
        self.system, self.service, self.file, self.context = system, service, file, service.context

    def grow(self, bars: int) -> None:
        """Let bars come, and wait until the set has applied them all, here and where it is led."""
        self.file.grow(bars)
        self.system.wait_for("the set", lambda: len(self.applied()) >= self.file.count)

    def applied(self, database: str = "signals") -> list[int]:
        return list(closes(self.system, database, "signals.bars-applied.v1"))

    def leads(self) -> dict[str, str]:
        return {each["key"]: each["leads"] for each in status(self.system, self.context)["keys"]}

    def extract(self, action: str, what: str = "", *options: str) -> str:
        """Move the context, or `what` of it, to another stage; return what was said."""
        return moved(self.system, action, what or self.context, "--why", "to try it", *options)

    def level(self) -> None:
        self.system.wait_for("the follower", lambda: is_followed(self.system, self.context))

    def check(self) -> None:
        """Check that each bar was decided on once, that the sides never differed, and all that holds of orders."""
        applied = self.applied()
        assert len(applied) == self.file.count
        assert applied == sorted(set(applied))
        check_that_nothing_was_lost_or_doubled(self.system)
        sums = status(self.system, self.context)["last_hour"]
        assert (sums["differing"], sums["problems"], sums["digests_differing"]) == (0, 0, 0)
        assert "BROKEN" not in self.system.manage("extract", "verify", self.context)
        assert "Traceback" not in self.service.log()


def following(
    system: System, kafka: Cluster, folder: Path, context: str, define: Callable[[System], object] = define_trend
) -> Iterator[Followed]:
    """Yield a system that trades by a set that is defined, followed by the service of a context."""
    name = join_kafka(system, kafka, **{context: f"{context}_service"})
    service, file = Service(system, context), Grown(folder)
    made = Followed(system, service, file)
    define(system)
    system.manage("accounts", "open", "DEMO", "--count", str(ACCOUNTS), "--client", "demo", "--deposit", "100000")
    system.manage("accounts", "subscribe", "DEMO", "--count", str(ACCOUNTS), "--set", "trend")
    system.manage("feeds", "add", "--interval", "1h", "--instrument", f"OANDA:EURUSD={file.path}")
    system.manage("feeds", "start", "oanda")
    system.manage("topics", "apply", "--with", context)
    service.migrate()
    system.start()
    made.grow(30)
    made.extract("shadow")
    service.start()
    seed = ("extract", "seed", context, "--seconds", "5")
    system.wait_for("followers", lambda: "NO FOLLOWER" not in system.tried(*seed))
    yield made
    service.end()
    delete_topics(kafka, name)
