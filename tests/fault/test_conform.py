"""`extract conform` as its user types it: a service that runs by itself is tried on the log of a system that traded."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from banyan.kafka import Cluster
from tests.fault.service import Service, delete_topics, join_kafka
from tests.fault.system import ROOT, System
from tests.fault.test_pipeline import prepare
from tests.fault.test_shadow import replay_bars

pytestmark = pytest.mark.soak  # of the core are trials of services in test_conformance.py of tests/integration/kafka
SAID = re.compile(r"start it with BANYAN_ENVIRONMENT=(\S+) KAFKA_BOOTSTRAP=(\S+)")


@pytest.fixture
def recorded(system: System, kafka: Cluster) -> Iterator[System]:
    """A system that has traded, with risk in its app all the while, and knows of no cluster of Kafka."""
    name = join_kafka(system, kafka, risk="risk_service")
    del system.environment["KAFKA_BOOTSTRAP"]
    prepare(system)
    system.start()
    replay_bars(system, "2016-01-01", "2016-02-01")
    system.stop()
    yield system
    delete_topics(kafka, name)


@pytest.mark.parametrize(
    ("program", "code", "told"),
    [("extract.risk", 0, "\nit conforms\n"), ("tests.fault.wrong_risk", 2, "\nCommandError: it does not conform\n")],
)
def test_a_service_that_is_started_as_is_said_is_given_the_log_and_what_it_tells_is_compared(
    recorded: System, kafka: Cluster, program: str, code: int, told: str
):
    service = Service(recorded, program=("-m", program))
    service.migrate()
    asked = ("--bootstrap", kafka.address(), "--most", "100000", "--seconds", "300")
    command = [sys.executable, "manage.py", "extract", "conform", "risk", *asked]
    with subprocess.Popen(
        command, cwd=ROOT, env=recorded.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as trial:
        assert trial.stdout is not None
        said = SAID.match(trial.stdout.readline())
        assert said is not None
        service.over |= {"BANYAN_ENVIRONMENT": said[1], "KAFKA_BOOTSTRAP": said[2]}
        service.start()
        rest = trial.stdout.read()
    service.end()
    assert (trial.returncode, told in f"\n{rest}") == (code, True), rest
    assert "Traceback" not in service.log()
