"""The pipeline's own faults once more, with risk and with execution in each stage of the way out of the app."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from banyan.kafka import Cluster
from tests.fault import test_pipeline
from tests.fault.service import Service, delete_topics, join_kafka, started_again
from tests.fault.system import System
from tests.fault.test_pipeline import is_ready
from tests.fault.test_shadow import is_followed

pytestmark = pytest.mark.soak  # of the core are the walks through all stages of test_stages.py
WATCHED = ("--minutes", "0", "--records", "1")
WAYS = {
    "shadow": (),
    "canary": (("canary", "--percent", "40"),),
    "live": (("live",),),
    "extracted": (("live",), ("extract",)),
}


class Staged(System):
    """A system of which a context is brought to a stage when it is first started, its service beside it."""

    def __init__(self, folder: Path, database_url: str, context: str, stage: str) -> None:
        super().__init__(folder, database_url)
        self.context, self.stage = context, stage
        self.service: Service | None = None
        self.held = ExitStack()

    def start(self, crash_at: str = "", roles: Sequence[str] = ()) -> None:
        if self.service is None:
            super().start()
            self._go()
            if not crash_at:
                return
            self.stop()
        super().start(crash_at, roles)

    def _go(self) -> None:
        self.wait_for("accounts that may trade", lambda: is_ready(self))
        self.service = Service(self, self.context)
        self.manage("topics", "apply", "--with", self.context)
        self.service.migrate()
        self.manage("extract", "shadow", self.context, "--why", "first day")
        self.held.enter_context(started_again(self, self.service))
        seed = ("extract", "seed", self.context, "--seconds", "5")
        self.wait_for("followers", lambda: "NO FOLLOWER" not in self.tried(*seed))
        self.manage("risk", "limit", "order=1000lots", "--instrument", "OANDA:EURUSD")  # something to compare
        for way in WAYS[self.stage]:
            self.wait_for("the follower", lambda: is_followed(self, self.context))
            self.wait_for("it", lambda way=way: self._has_gone(*way))

    def _has_gone(self, action: str, *options: str) -> bool:
        return "(change " in self.tried("extract", action, self.context, "--why", "to try it", *options, *WATCHED)


@pytest.fixture(params=[f"{context}-{stage}" for context in ("risk", "execution") for stage in WAYS])
def staged(system: System, kafka: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Staged]:
    context, stage = request.param.split("-")
    folder = tmp_path / "staged"
    folder.mkdir()
    made = Staged(folder, system.environment["DATABASE_URL"], context, stage)
    name = join_kafka(made, kafka, **{context: f"{context}_service"})
    yield made
    system.others += made.faults()
    made.held.close()
    made.end()
    delete_topics(kafka, name)


def check_that_one_side_led(staged: Staged) -> None:
    assert "BROKEN" not in staged.manage("extract", "verify", staged.context)
    assert staged.service is not None
    assert "Traceback" not in staged.service.log()


def test_in_each_stage_a_system_that_is_killed_while_it_trades_loses_and_doubles_nothing(staged):
    test_pipeline.test_a_system_that_is_killed_while_it_trades_loses_and_doubles_nothing(staged)
    check_that_one_side_led(staged)


@pytest.mark.parametrize(
    "point", ["execution.after-commit:8", "risk.before-commit:4", "edge.after-commit:4", "paper.before-answer:3"]
)
def test_in_each_stage_processes_that_die_again_and_again_while_they_trade_lose_and_double_nothing(staged, point):
    test_pipeline.test_a_process_that_dies_again_and_again_while_it_trades_loses_and_doubles_nothing(staged, point)
    check_that_one_side_led(staged)


def test_in_each_stage_a_thrown_kill_switch_stops_new_orders_until_it_is_lifted(staged):
    test_pipeline.test_a_thrown_kill_switch_stops_new_orders_until_it_is_lifted(staged)
    check_that_one_side_led(staged)
