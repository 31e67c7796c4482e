"""Risk in shadow: a service follows, differs, is looked into, and nobody trades by it."""

import json
from collections.abc import Iterator

import pytest

from banyan.kafka import Cluster
from extract.fixtures import read, replay
from settings.roles import HOSTED_CONTEXTS
from tests.fault import wrong_risk
from tests.fault.service import Service, delete_topics, join_kafka, moved
from tests.fault.system import System
from tests.fault.test_pipeline import check_that_nothing_was_lost_or_doubled, is_at_rest, prepare


@pytest.fixture
def shadowed(system: System, kafka: Cluster) -> Iterator[tuple[System, Service, Service]]:
    name = join_kafka(system, kafka, risk="risk_service")
    right, wrong = Service(system), Service(system, program=("-m", "tests.fault.wrong_risk"))
    yield system, right, wrong
    right.end()
    wrong.end()
    delete_topics(kafka, name)


def status(system: System, context: str = "risk") -> dict:
    return json.loads(system.manage("extract", "status", context, "--json"))


def is_followed(system: System, context: str = "risk") -> bool:
    """Tell whether the follower has been compared as far as the app has decided."""
    return all(each["number"] == each["compared"] for each in status(system, context)["keys"])


def replay_bars(system: System, first: str, last: str) -> None:
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", first, "--to", last)
    system.wait_for("rest", lambda: is_at_rest(system))


def test_a_service_follows_a_planted_difference_is_found_and_frozen_and_the_app_goes_on(shadowed, tmp_path):
    system, right, wrong = shadowed
    prepare(system)
    assert "manage.py topics apply" in system.tried("extract", "shadow", "risk", "--why", "try")
    system.manage("topics", "apply")
    right.migrate()
    system.start()
    replay_bars(system, "2016-01-01", "2016-01-10")
    told = system.manage("extract", "shadow", "risk", "--why", "first day")
    assert "inprocess → shadow" in told
    right.start()
    system.wait_for("followers", lambda: "NO FOLLOWER" not in system.tried("extract", "seed", "risk", "--seconds", "5"))
    replay_bars(system, "2016-01-10", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system))
    hour = status(system)["last_hour"]
    assert hour["same"] > 20
    assert hour["differing"] == hour["problems"] == hour["digests_differing"] == 0
    assert right.stop() == 0
    wrong.start()
    replay_bars(system, "2016-01-20", "2016-02-05")
    system.wait_for("the follower", lambda: is_followed(system))
    found = [json.loads(line) for line in system.manage("extract", "diff", "risk", "--json").splitlines()]
    verdicts = [each for each in found if each["event"] == "risk.orders-approved.v1"]
    assert verdicts
    assert verdicts[0]["fields"]["event"] == ["risk.orders-approved.v1", "risk.orders-refused.v1"]
    assert verdicts[0]["lots"] > 0
    assert verdicts[0]["money"] > 0
    assert status(system)["last_hour"]["digests_differing"] == 0, "a difference must not stay in the state"
    folder = tmp_path / "found"
    system.manage("extract", "fixture", "risk", str(verdicts[0]["id"]), "--to", str(folder))
    [path] = folder.glob("risk-*.json")
    assert replay(read(path), HOSTED_CONTEXTS).differences == []
    broken = {"risk": wrong_risk.broken()}
    assert [each.kind for each in replay(read(path), broken).differences]
    wrong.kill()
    replay_bars(system, "2016-02-05", "2016-02-10")
    moved(system, "rollback", "risk", "--why", "limits differ")
    assert "inprocess" in system.manage("extract", "status", "risk")
    assert "limits differ" in system.manage("extract", "log", "risk")
    replay_bars(system, "2016-02-10", "2016-02-15")
    check_that_nothing_was_lost_or_doubled(system)
    assert "BROKEN" not in system.manage("extract", "verify", "risk")
    assert "Traceback" not in right.log()
