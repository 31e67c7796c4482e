"""The pipeline with risk as a service: the same invariants, and the service may die."""

import itertools
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError, URLError

import pytest
from confluent_kafka.admin import AdminClient

from banyan.kafka import Cluster
from tests.fault.system import ROOT, System
from tests.fault.test_pipeline import ACCOUNTS, check_that_nothing_was_lost_or_doubled, is_at_rest
from tests.fault.test_processes import define_trend

_NUMBERS = itertools.count(1)


class Service:
    """`python -m extract.risk`, as its operator runs it."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._log = system.folder / "risk.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        with self._log.open("ab") as log:
            environment = {**self._system.environment, "DJANGO_SETTINGS_MODULE": "settings.services.risk"}
            del environment["DATABASE_URL"]
            command = [sys.executable, "-m", "extract.risk", "--health", f"127.0.0.1:{self.port}"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refused:
            return refused.code, refused.read().decode()
        except (URLError, OSError):
            return 0, ""

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)

    def log(self) -> str:
        return self._log.read_text()


@pytest.fixture
def extracted(system: System, kafka: Cluster) -> Iterator[tuple[System, Service]]:
    name = f"t{os.getpid()}-f{next(_NUMBERS)}"
    before, question, options = system.environment["DATABASE_URL"].partition("?")
    system.environment |= {
        "BANYAN_EXTRACTED": "risk",
        "BANYAN_ENVIRONMENT": name,
        "KAFKA_BOOTSTRAP": kafka.address(),
        "KAFKA_COPIES": "1",
        "RISK_DATABASE_URL": f"{before}_risk{question}{options}",
    }
    service = Service(system)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        service.port = free.getsockname()[1]
    yield system, service
    if service.process is not None and service.process.poll() is None:
        service.kill()
    admin = AdminClient(kafka.options())
    ours = [topic for topic in admin.list_topics(timeout=10).topics if topic.startswith(f"{name}.")]
    if ours:
        admin.delete_topics(ours)


def test_the_pipeline_trades_with_risk_as_a_service_that_is_killed_and_comes_back(extracted):
    system, service = extracted
    define_trend(system)
    assert "create" in system.manage("topics", "apply")
    system.manage("topics", "verify")
    system.manage("accounts", "open", "DEMO", "--count", str(ACCOUNTS), "--client", "demo", "--deposit", "100000")
    system.manage("accounts", "subscribe", "DEMO", "--count", str(ACCOUNTS), "--set", "trend")
    system.start()
    service.start()
    system.wait_for("the service's readiness", lambda: service.ask("/ready")[0] == 200)
    assert not any(line.startswith("risk") for line in system.manage("run", "--list").splitlines())
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-01-01", "--to", "2016-01-20")
    system.wait_for("verdicts", lambda: len(system.steps("risk")) > 20)
    service.kill()
    service.start()
    system.wait_for("rest", lambda: is_at_rest(system))
    check_that_nothing_was_lost_or_doubled(system)
    assert service.ask("/live")[0] == 200
    lag = json.loads(service.ask("/lag")[1])
    assert lag["context"] == "risk"
    assert "banyan_log_number" in service.ask("/metrics")[1]
    assert service.stop() == 0
    assert "held by nobody" in system.manage("status")
    assert "Traceback" not in service.log()
