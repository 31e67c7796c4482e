"""Databases reached through a network that fails while orders are on their way, in the middle of commits too."""

import random
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict

from banyan.kafka import Cluster
from tests.fault.service import Service, delete_topics, join_kafka, moved, wait_until_ready
from tests.fault.system import System
from tests.fault.test_pipeline import check_that_nothing_was_lost_or_doubled, columns, is_at_rest, is_ready, prepare
from tests.fault.test_processes import replay
from tests.fault.test_shadow import is_followed, replay_bars, status
from tests.fault.test_stages import WATCHED, check_that_nothing_differed_and_nothing_was_lost, leads
from tests.network import AFTER, BEFORE, DatabaseNetwork

pytestmark = pytest.mark.soak
LEDGERS = ("banyan_log", "edge_entry")


@pytest.fixture
def network(address: str) -> Iterator[DatabaseNetwork]:
    """The network to this run's database server."""
    place = conninfo_to_dict(address.format(name="postgres"))
    host, port = str(place["host"]), int(place.get("port") or 5432)

    def reach() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        made = socket.socket(socket.AF_UNIX)
        made.connect(f"{host}/.s.PGSQL.{port}")
        return made

    with DatabaseNetwork(reach, LEDGERS) as made:
        yield made
        made.loses = lambda: ""
        made.mend()


def away(network: DatabaseNetwork, how: str, seconds: float) -> None:
    """Let a network be away for so long, from now on: cut, or swallowing everything."""
    getattr(network, how)()
    threading.Timer(seconds, network.mend).start()


def now_and_then(seed: int, one_in: int) -> Callable[[], str]:
    """Return what loses one commit in so many, the first two for sure: one after it is done, one before."""
    dice, first = random.Random(seed), iter([AFTER, BEFORE])
    return lambda: next(first, "") or (dice.choice([BEFORE, AFTER]) if dice.randrange(one_in) == 0 else "")


def test_an_app_whose_database_is_behind_a_failing_network_loses_and_doubles_nothing(system, network):
    prepare(system)
    system.over["DATABASE_URL"] = network.url(system.environment["DATABASE_URL"])
    system.start()
    system.wait_for("accounts that may trade", lambda: is_ready(system))
    network.loses = now_and_then(1, 20)
    for how, first, last in (
        ("cut", "2016-01-01", "2016-01-20"),
        ("swallow", "2016-01-20", "2016-02-05"),
        ("cut", "2016-02-05", "2016-02-20"),
    ):  # fmt: skip
        before = len(columns(system, "execution.orders-filled.v1"))
        replay(system, first, last)
        system.wait_for("fills", lambda before=before: len(columns(system, "execution.orders-filled.v1")) > before)
        away(network, how, 2.0)
    system.wait_for("rest", lambda: is_at_rest(system))
    network.loses = lambda: ""
    check_that_nothing_was_lost_or_doubled(system)
    assert network.lost[BEFORE] > 3
    assert network.lost[AFTER] > 3


@pytest.fixture
def followed(system: System, kafka: Cluster) -> Iterator[tuple[System, Service]]:
    """A system that trades, and the service of risk, not started yet."""
    name = join_kafka(system, kafka, risk="risk_service")
    service = Service(system)
    prepare(system)
    system.manage("topics", "apply", "--with", "risk")
    service.migrate()
    yield system, service
    service.end()
    delete_topics(kafka, name)


def follow(system: System, service: Service) -> None:
    """Start both, and let the service follow all that happens in twenty days."""
    system.start()
    system.manage("extract", "shadow", "risk", "--why", "first day")
    service.start()
    seed = ("extract", "seed", "risk", "--seconds", "5")
    system.wait_for("followers", lambda: "NO FOLLOWER" not in system.tried(*seed))
    replay_bars(system, "2016-01-01", "2016-01-20")
    system.wait_for("the follower", lambda: is_followed(system))


def test_a_service_that_leads_behind_a_failing_network_to_its_database_loses_and_doubles_nothing(followed, network):
    system, service = followed
    url = "RISK_SERVICE_DATABASE_URL"
    service.over[url] = network.url(system.environment[url])
    follow(system, service)
    moved(system, "live", "risk", "--why", "no difference", *WATCHED)
    network.loses = now_and_then(2, 4)
    for how, first, last in (("cut", "2016-01-20", "2016-01-28"), ("swallow", "2016-01-28", "2016-02-06")):
        replay(system, first, last)
        away(network, how, 2.0)
        system.wait_for("rest", lambda: is_at_rest(system))
    network.loses = lambda: ""
    wait_until_ready(system, service)
    system.wait_for("the followers", lambda: is_followed(system))
    replay_bars(system, "2016-02-06", "2016-02-12")
    check_that_nothing_differed_and_nothing_was_lost(system)
    assert network.lost[BEFORE] + network.lost[AFTER] > 3


def test_stages_are_not_known_while_the_facades_database_is_away_and_a_lost_change_of_one_is_made_up_for(
    followed, network
):
    system, service = followed
    name = "FACADE_DATABASE_URL"
    before, question, options = system.environment["DATABASE_URL"].partition("?")
    straight = f"{before}_facade{question}{options}"
    system.over[name] = network.url(straight)
    follow(system, service)
    moved(system, "canary", "risk", "--percent", "40", "--why", "no difference", *WATCHED)
    network.cut()
    replay_bars(system, "2016-01-20", "2016-01-26")
    assert sorted(set(leads(system).values())) == ["app", "service"]
    service.kill()
    service.start()
    replay_bars(system, "2016-01-26", "2016-02-02")
    network.mend()
    wait_until_ready(system, service)
    system.wait_for("the followers", lambda: is_followed(system))
    assert status(system)["stage"] == "canary"
    system.environment[name] = network.url(straight)
    lost = iter([AFTER])
    network.loses = lambda: next(lost, "")
    told = system.tried("extract", "live", "risk", "--why", "no difference", *WATCHED)
    assert network.lost[AFTER] == 1
    assert "canary → live" not in told
    assert "Traceback" not in told
    del system.environment[name]
    replay_bars(system, "2016-02-02", "2016-02-06")
    system.wait_for("the followers", lambda: is_followed(system))
    system.tried("extract", "live", "risk", "--why", "once more", *WATCHED)
    assert set(leads(system).values()) == {"service"}
    replay_bars(system, "2016-02-06", "2016-02-12")
    check_that_nothing_differed_and_nothing_was_lost(system)
