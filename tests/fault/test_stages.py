"""Contexts through all stages while orders flow: the service leads some keys, all of them, dies, and comes back."""

from collections.abc import Iterator

import msgspec
import pytest

from apps.execution.paper import protocol
from apps.execution.paper.faults import Faults
from banyan.kafka import Cluster
from tests.fault.service import Service, delete_topics, join_kafka, moved
from tests.fault.system import System
from tests.fault.test_pipeline import (
    ACCOUNTS,
    check_that_nothing_was_lost_or_doubled,
    columns,
    is_at_rest,
    prepare,
)
from tests.fault.test_shadow import is_followed, replay_bars, status
from tests.integration.edge.paper_client import Client

BOTH = ("execution", "risk")
ACCOUNT_ROWS = "SELECT count(*) FROM execution_account"
WATCHED = ("--minutes", "0", "--records", "20")


@pytest.fixture
def followed(system: System, kafka: Cluster, request: pytest.FixtureRequest) -> Iterator[tuple[System, Service]]:
    context = getattr(request, "param", "risk")
    name = join_kafka(system, kafka, **{context: f"{context}_service"})
    service = Service(system, context)
    prepare(system)
    system.manage("topics", "apply", "--with", context)
    service.migrate()
    system.start()
    system.manage("extract", "shadow", context, "--why", "first day")
    service.start()
    seed = ("extract", "seed", context, "--seconds", "5")
    system.wait_for("followers", lambda: "NO FOLLOWER" not in system.tried(*seed))
    yield system, service
    service.end()
    delete_topics(kafka, name)


@pytest.fixture
def both(system: System, kafka: Cluster) -> Iterator[tuple[System, list[Service]]]:
    """A system that trades, and a service beside it that follows for each context of its saga."""
    name = join_kafka(system, kafka, **{context: f"{context}_service" for context in BOTH})
    services = [Service(system, context) for context in BOTH]
    prepare(system)
    system.start()
    for service in services:
        system.manage("topics", "apply", "--with", service.context)
        service.migrate()
        system.manage("extract", "shadow", service.context, "--why", "first day")
        service.start()
    for context in BOTH:
        seed = ("extract", "seed", context, "--seconds", "5")
        system.wait_for("followers", lambda seed=seed: "NO FOLLOWER" not in system.tried(*seed))
    yield system, services
    for service in services:
        service.end()
    delete_topics(kafka, name)


def leads(system: System, context: str = "risk") -> dict[str, str]:
    return {each["key"]: each["leads"] for each in status(system, context)["keys"]}


def test_execution_and_risk_go_out_key_by_key_their_services_die_and_they_come_back_by_themselves(both):
    system, services = both
    assert "NO" in system.tried("extract", "canary", "risk", "--percent", "20", "--why", "too early")
    replay_bars(system, "2016-01-01", "2016-01-20")
    for context in BOTH:
        system.wait_for("the follower", lambda context=context: is_followed(system, context))
        told = moved(system, "canary", context, "--percent", "20", "--why", "no difference", *WATCHED)
        assert "handed over in" in told
        assert sorted(set(leads(system, context).values())) == ["app", "service"]
    replay_bars(system, "2016-01-20", "2016-01-26")
    for context in BOTH:
        system.wait_for("the followers", lambda context=context: is_followed(system, context))
        moved(system, "live", context, "--why", "no difference", *WATCHED)
        assert set(leads(system, context).values()) == {"service"}
    system.manage("risk", "limit", "order=1000lots", "--instrument", "OANDA:EURUSD")
    replay_bars(system, "2016-01-26", "2016-02-02")
    for service in services:
        service.kill()
    system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", "2016-02-02", "--to", "2016-02-06")
    for context in BOTH:
        system.wait_for("the guard", lambda context=context: status(system, context)["stage"] == "shadow")
        assert "guard: nobody holds" in system.manage("extract", "log", context)
        assert set(leads(system, context).values()) == {"app"}
    replay_bars(system, "2016-02-06", "2016-02-10")
    for service in services:
        service.start()
    for context in BOTH:
        system.wait_for("the follower", lambda context=context: is_followed(system, context))
        assert set(leads(system, context).values()) == {"app"}
        check_that_nothing_differed_and_nothing_was_lost(system, context)


@pytest.mark.soak
@pytest.mark.parametrize("followed", ["execution", "risk"], indirect=True)
def test_a_context_leaves_the_app_for_good_and_comes_back_all_the_same(followed):
    system, service = followed
    context = service.context
    assert context != "execution" or system.rows("execution_service", ACCOUNT_ROWS) == [(ACCOUNTS,)]
    replay_bars(system, "2016-01-01", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system, context))
    moved(system, "live", context, "--why", "no difference", *WATCHED)
    replay_bars(system, "2016-01-20", "2016-01-26")
    system.wait_for("the app following", lambda: is_followed(system, context))
    moved(system, "extract", context, "--why", "done", *WATCHED)
    replay_bars(system, "2016-01-26", "2016-02-02")
    moved(system, "rollback", context, "--why", "try the way back")
    assert status(system, context)["stage"] == "live"
    system.wait_for("the app following", lambda: is_followed(system, context))
    assert "handed over in" in moved(system, "rollback", context, "--why", "and back")
    assert set(leads(system, context).values()) == {"app"}
    replay_bars(system, "2016-02-02", "2016-02-06")
    check_that_nothing_differed_and_nothing_was_lost(system, context)
    assert "Traceback" not in service.log()


@pytest.mark.soak
@pytest.mark.parametrize("followed", ["execution"], indirect=True)
def test_execution_goes_out_and_comes_back_while_orders_are_open(followed):
    system, service = followed
    replay_bars(system, "2016-01-01", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system, "execution"))
    told = moved(system, "canary", "execution", "--percent", "40", "--why", "no difference", *WATCHED)
    assert "handed over in" in told
    assert sorted(set(leads(system, "execution").values())) == ["app", "service"]
    replay_bars(system, "2016-01-20", "2016-01-26")
    system.wait_for("the followers", lambda: is_followed(system, "execution"))
    moved(system, "live", "execution", "--why", "no difference", *WATCHED)
    assert set(leads(system, "execution").values()) == {"service"}
    replay_bars(system, "2016-01-26", "2016-02-02")
    moved(system, "rollback", "execution", "--why", "and back")
    assert set(leads(system, "execution").values()) == {"app"}
    replay_bars(system, "2016-02-02", "2016-02-06")
    check_that_nothing_differed_and_nothing_was_lost(system, "execution")
    assert "Traceback" not in service.log()


@pytest.mark.soak
@pytest.mark.parametrize("followed", ["execution"], indirect=True)
def test_orders_of_which_nobody_knows_whether_they_arrived_go_along_with_their_shard(followed):
    system, service = followed
    broker = Client(system.folder / "paper" / "socket")
    replay_bars(system, "2016-01-01", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system, "execution"))
    broker.send(protocol.Inject(faults=msgspec.json.encode(Faults(seed=1, disconnect=0.5, lost_reply=0.3))))
    broker.receive(protocol.Done)
    system.others += 1
    for (action, led), (first, last) in zip(
        (("live", "service"), ("rollback", "app"), ("live", "service")),
        (("2016-01-20", "2016-01-28"), ("2016-01-28", "2016-02-05"), ("2016-02-05", "2016-02-13")),
        strict=True,
    ):
        before = len(unknown(system))
        system.manage("replay", "OANDA:EURUSD", "--interval", "1h", "--from", first, "--to", last)
        system.wait_for("an order that nobody knows of", lambda before=before: len(unknown(system)) > before)
        moved(system, action, "execution", "--why", "in the middle of it", *WATCHED)
        assert set(leads(system, "execution").values()) == {led}
        system.wait_for("the follower", lambda: is_followed(system, "execution"))
    broker.send(protocol.Inject(faults=msgspec.json.encode(Faults())))
    broker.receive(protocol.Done)
    broker.close()
    system.wait_for("rest", lambda: is_at_rest(system))
    check_that_nothing_differed_and_nothing_was_lost(system, "execution")
    assert "Traceback" not in service.log()


def unknown(system: System) -> list[dict]:
    return columns(system, "execution.orders-unknown.v1")


def check_that_nothing_differed_and_nothing_was_lost(system: System, context: str = "risk") -> None:
    check_that_nothing_was_lost_or_doubled(system)
    sums = status(system, context)["last_hour"]
    assert (sums["differing"], sums["digests_differing"]) == (0, 0)
    assert "BROKEN" not in system.manage("extract", "verify", context)
