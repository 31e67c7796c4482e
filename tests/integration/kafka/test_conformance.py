"""Any program can stand in for risk's service: it is tried on a recorded log, and a broken one is caught."""

import dataclasses
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from apps.execution.contracts import AccountOpened, OrdersEnded, OrdersRequested, PositionChanged
from apps.risk.contracts import Limits, SetLimits
from apps.risk.core import RISK
from banyan.clock import SystemClock
from banyan.codec import Envelope, encode_message
from banyan.columns import ints
from banyan.host import Delivery, Host, HostSettings
from banyan.kafka.topics import Topics
from banyan.process import HostWorker
from banyan.store import Store
from banyan.transport import LocalTransport
from banyan.transport.kafka import Link
from extract.conform import Conformance
from tests.fault import wrong_risk
from tests.patience import PATIENCE_SECONDS, wait_for_thread
from tests.unit.risk.desk import E9, terms

pytestmark = pytest.mark.django_db(transaction=True, databases=["risk", "signals"])
KEYS = ("00", "01")
ROOT = Path(__file__).resolve().parents[3]
_NUMBERS = itertools.count(1)


def messages(random: Random) -> Iterator:
    """Yield what happens to a shard: accounts, limits, and many orders."""
    for number in (1, 2, 3):
        yield AccountOpened(
            account=f"a{number}", number=number, client="c", broker="b", currency="USD", leverage_e9=4 * E9,
            hedging=False, time_zone="UTC", balance_micro=10**9,
        )  # fmt: skip
    yield SetLimits(limits=Limits(order_steps_max=7, position_steps_max=15))
    decisions = dict.fromkeys((1, 2, 3, 9), 0)
    for at in range(40):
        accounts = random.sample(sorted(decisions), 3)
        for number in accounts:
            decisions[number] += 1
        yield OrdersRequested(
            set="trend", decided_at_ns=at, terms=[terms("EURUSD", 0)], bid_ticks=ints([100]), ask_ticks=ints([102]),
            account=ints(accounts), instrument=ints([0] * 3), decision=ints([decisions[each] for each in accounts]),
            steps=ints([random.choice((-9, -5, -2, 1, 2, 3, 8)) for _ in accounts]),
            step_value_micro=ints([random.choice((10, 11)) for _ in accounts]), reduce_only=ints([0] * 3),
        )  # fmt: skip
        number = random.choice((1, 2, 3))
        yield PositionChanged(
            instruments=["EURUSD"], account=ints([number]), instrument=ints([0]), steps=ints([random.randint(-4, 4)])
        )  # fmt: skip
        yield OrdersEnded(
            instruments=["EURUSD"], account=ints([number]), instrument=ints([0]), decision=ints([decisions[number]]),
            left_steps=ints([1]), kind=ints([0]), code=ints([0]),
        )  # fmt: skip


@pytest.fixture
def recorded(transactional_db: None) -> None:
    store = Store("risk")
    host = Host(RISK, store, [], SystemClock(), owner="one", settings=HostSettings(always_decode=True))
    host.open(KEYS)
    for key in KEYS:
        given = messages(Random(key))
        host.offer(
            Delivery(
                "risk", Envelope(name=each.wire_name, id=f"{key}-{at}", key=key, event_time_ns=at), encode_message(each)
            )
            for at, each in enumerate(given)
        )
        while host.step():
            pass
    host.close()


@pytest.fixture
def conformance(kafka, recorded) -> Iterator[Conformance]:
    log = {("risk", "risk")}
    topics = Topics(f"c{os.getpid()}-{next(_NUMBERS)}", KEYS, dict.fromkeys(log, "shards"), frozenset(log))
    made = Conformance(RISK, kafka, topics)
    assert made.load(KEYS, 10_000).keys() == set(KEYS)
    made.make_topics()
    yield made
    made.delete_topics()


@pytest.fixture
def service(conformance, kafka):
    """Starts a follower of ours in threads, with `decide` for its decisions."""
    stop, threads = threading.Event(), []

    def start(context) -> None:
        clock = SystemClock()
        host = Host(
            context, Store("signals", leads_new=False), [], clock, owner="two", settings=HostSettings(side="service")
        )
        LocalTransport({}).join(host, KEYS)
        link = Link(host, kafka, conformance._topics, receivers=[], senders=[], side="service", has_other_side=True)
        link.open()
        for worker in (HostWorker(host, KEYS, clock), *link.workers):
            threads.append(threading.Thread(target=worker.run, args=(stop,), daemon=True))
            threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        wait_for_thread(thread)


def test_our_own_service_conforms(conformance, service):
    service(RISK)
    trial = conformance.run(PATIENCE_SECONDS)
    assert trial.conforms, (trial.sums, trial.missing, [each.fields for each in trial.found[:3]])
    assert trial.sums["same"] == sum(trial.wanted.values())


def test_a_broken_one_is_caught_with_what_it_does_wrong(conformance, service):
    service(dataclasses.replace(RISK, decide=wrong_risk.decide))
    trial = conformance.run(PATIENCE_SECONDS)
    assert not trial.conforms
    assert trial.missing == []
    changed = {tuple(each.fields["event"]) for each in trial.found if "event" in each.fields}
    assert ("risk.orders-approved.v1", "risk.orders-refused.v1") in changed


def test_another_implementation_in_plain_python_conforms(conformance, kafka):
    program = str(Path(__file__).with_name("plain_risk_service.py"))
    command = [sys.executable, program, kafka.address(), conformance._topics.environment, ",".join(KEYS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as other:
        trial = conformance.run(PATIENCE_SECONDS)
        other.kill()
    assert trial.conforms, (trial.sums, trial.missing, [each.fields for each in trial.found[:3]])


def test_one_that_says_nothing_does_not_conform(conformance):
    trial = conformance.run(0.5)
    assert trial.missing == list(KEYS)
    assert not trial.conforms
