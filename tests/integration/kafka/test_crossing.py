"""The façade over real Kafka: a stage changes while messages flow, and only what has to crosses."""

import threading
from itertools import accumulate

import pytest

from banyan.facade import Routing, Stage
from banyan.facade.crossing import Crossing
from banyan.models import Relayed
from banyan.transport.kafka import Link
from tests.integration.kafka.conftest import Bench, Side
from tests.integration.kafka.test_following import knows
from tests.patience import wait_for_thread

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk", "facade"])


@pytest.fixture
def crossing(bench):
    """Execution in the app with its façade; what it says to risk in the app goes nowhere."""
    made = bench.side("execution", crosses=True)
    stages = {"risk": Routing()}
    worker = Crossing(
        "execution", ["risk"], [], lambda: dict(stages),
        lambda needs: Link(
            made.host, bench.cluster, bench.topics, receivers=needs.receivers, senders=[], side="app"
        ),
        alias=made.host.store.alias,
    )  # fmt: skip
    made.transport.attach("risk", Nobody(), None)
    made.transport.tap(worker.listen)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,), daemon=True)
    thread.start()
    yield made.start(), stages, worker
    stop.set()
    wait_for_thread(thread)


class Nobody:
    def offer(self, deliveries):
        pass


def relayed(bench: Bench, side: Side) -> dict[str, int]:
    return {row.key: row.position // 4096 for row in Relayed.objects.using("execution").filter(receiver="risk")}


def test_nothing_crosses_before_shadow_and_from_then_on_everything_new_and_no_more(bench, crossing):
    execution, stages, worker = crossing
    execution.say(*range(1, 101))
    bench.until(lambda: len(knows(execution)) == 100)
    assert worker._link is None
    stages["risk"] = Routing(Stage.SHADOW)
    bench.until(lambda: worker._link is not None and worker._link.relay.is_patient, "nobody waits for it")
    execution.say(101, 102, 103)
    bench.until(lambda: worker._link.relay.count == 3, "the new ones")
    bench.until(lambda: relayed(bench, execution) == {"a": 103})
    assert worker._link.relay.count == 3
    risk = bench.side("risk").start()
    bench.until(lambda: risk.told() == list(accumulate(range(1, 104))), "what it lacks, which it asks for")
    stages["risk"] = Routing(Stage.LIVE)
    bench.until(lambda: not worker._link.relay.is_patient, "somebody waits for it")
    stages["risk"] = Routing()
    bench.until(lambda: worker._link is None and relayed(bench, execution) == {})
    execution.say(104)
    bench.until(lambda: len(knows(execution)) == 104)
    stages["risk"] = Routing(Stage.SHADOW)
    bench.until(lambda: relayed(bench, execution) == {"a": 104})
    execution.say(105)
    bench.until(lambda: risk.told() == list(accumulate(range(1, 106))), "all of it, once")


def test_a_client_that_cannot_go_on_is_made_anew_and_nobody_waits_for_it(bench, crossing):
    execution, stages, worker = crossing
    stages["risk"] = Routing(Stage.SHADOW)
    bench.until(lambda: worker._link is not None)
    risk = bench.side("risk").start()
    execution.say(1, 2)
    bench.until(lambda: risk.told() == [1, 3])
    first = worker._link.relay._producer
    worker._link.relay._failure = "it cannot go on"
    execution.say(3)
    bench.until(lambda: worker._link.relay._producer is not first, "a new client")
    execution.say(4)
    bench.until(lambda: risk.told() == [1, 3, 6, 10], "all of it")
    assert not worker._link.relay._is_stopping


def test_offers_that_come_while_the_relay_is_behind_lose_and_double_nothing(bench):
    execution, risk = bench.side("execution"), bench.side("risk").start()
    execution.host.open(("a", "b", "c"))
    execution.say(*range(1, 301))
    while execution.host.step():
        pass  # committed before the relay has a producer: it is behind
    execution.start()
    is_over = threading.Event()

    def load() -> None:
        for each in range(301, 1_001):
            execution.say(each)
            is_over.wait(0.0005)

    loading = threading.Thread(target=load)
    loading.start()
    for _ in range(20):
        with execution.link.relay._lock:  # as if Kafka had refused a record
            stream = "risk", "a", "a"
            if stream in execution.link.relay._produced:
                execution.link.relay._produced[stream] = max(0, execution.link.relay._produced[stream] - 5 * 4096)
                execution.link.relay._behind.add(stream)
        is_over.wait(0.02)
    loading.join()
    bench.until(lambda: risk.told() == list(accumulate(range(1, 1_001))), "each once, in order")
