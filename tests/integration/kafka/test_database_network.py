"""The network between a side and its database fails, in the middle of commits too: each message is applied once."""

import contextlib
import os
import random
import socket
import threading
from collections.abc import Iterator
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import connections

from banyan.models import Log
from banyan.store import Store, connection
from tests.integration.kafka.conftest import Bench
from tests.network import AFTER, BEFORE, DatabaseNetwork

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk"])
_FAULTS = 8  # beside answers to commits that are lost


@pytest.fixture
def network(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseNetwork]:
    """Return the network through which hosts, and what reads and relays for them, reach their databases."""
    parameters = [connections[alias].get_connection_params() for alias in ("execution", "risk")]
    names = {each["dbname"] for each in parameters}
    host, port = parameters[0]["host"], int(parameters[0].get("port") or 5432)

    def reach() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        made = socket.socket(socket.AF_UNIX)
        made.connect(f"{host}/.s.PGSQL.{port}")
        return made

    with DatabaseNetwork(reach) as made:

        def connect(**wanted: Any) -> Any:
            if wanted["dbname"] in names:
                wanted |= {"host": made.host, "port": made.port, "sslmode": "disable", "gssencmode": "disable"}
            return psycopg.connect(**wanted)

        shim = SimpleNamespace(connect=connect, Connection=psycopg.Connection)
        monkeypatch.setattr(connection, "psycopg", shim)
        yield made
        made.loses = lambda: ""
        made.mend()
        for each in bench.sides:
            each.stop()


def befall(network: DatabaseNetwork, dice: random.Random) -> None:
    """Let something befall a network, for a moment."""
    match dice.choice(["cut", "hang up", "swallow", "slow"]):
        case "cut":
            network.cut()
        case "hang up":
            network.hang_up()
        case "swallow":
            network.swallow()
        case "slow":
            network.delay_seconds = dice.uniform(0.001, 0.01)
    threading.Timer(dice.uniform(0.05, 0.3), network.mend).start()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_whatever_befalls_the_network_to_a_database_each_message_is_applied_once_and_passed_on(
    bench, network, seed, record_property
):
    dice = random.Random(seed)
    once = iter([AFTER, BEFORE])  # one of each at least, whatever the dice say
    network.loses = lambda: next(once, "") or dice.choice([BEFORE, AFTER, *[""] * 8])
    execution, risk = bench.side("execution").start(), bench.side("risk").start()
    said, in_log = 0, Log.objects.using("execution").filter(key="a").count
    for _ in range(_FAULTS):
        for number in range(said + 1, said + 1 + dice.randint(1, 15)):
            execution.say(number)
            said = number
        befall(network, dice)
        execution.say(said + 1)
        said += 1
        bench.until(lambda: in_log() == said, "all that was said")  # noqa: B023  (looked at before it changes)
    network.mend()
    network.loses = lambda: ""
    record_property("faults", network.lost.total() + _FAULTS)
    totals = list(accumulate(range(1, said + 1)))
    bench.until(lambda: risk.told() == totals, "all of it, told to risk")
    assert network.lost[BEFORE]
    assert network.lost[AFTER]
    assert told_in_order(said)


def told_in_order(count: int) -> bool:
    """Tell whether risk's log has every message once, without a gap."""
    with contextlib.closing(Store("risk")) as store:
        return [step.number for step in store.steps("a", 0)] == list(range(1, count + 1))


def test_a_database_that_is_silently_gone_is_noticed_within_seconds(bench, network):
    with contextlib.closing(Store("risk")) as store:
        there = socket.socket(fileno=os.dup(store.connection.fileno()))
    with there:
        assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
        assert there.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert there.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
