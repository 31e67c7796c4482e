"""The network between a service and Kafka fails, sides die in the middle of handovers: one leader, one answer."""

import contextlib
import dataclasses
import random
import threading
import time
from itertools import accumulate

import pytest
from confluent_kafka import KafkaException
from django.db import OperationalError

from banyan.facade import Routing, Stage
from banyan.facade import Side as Which
from banyan.facade.routing import change
from banyan.models import Log, Request
from extract import moving
from extract import sides as rows
from extract.agreement import disagreements, log
from extract.handing import Handing
from extract.moving import Mover
from tests.integration.kafka.conftest import KEYS, Bench, Side
from tests.integration.kafka.proxy import Proxy
from tests.integration.kafka.test_handover import (
    ALIASES,
    app,
    are_level,
    handing,
    leads,
    service,
    told_in_log,
)
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "facade", "risk", "signals"])
__all__ = ["handing"]


@pytest.fixture
def network(bench):
    if bench.cluster.server is None:
        pytest.skip("KAFKA_BOOTSTRAP names a cluster that is not on this machine")
    with Proxy(bench.cluster.address()) as made:
        yield made
        made.mend()


def behind(bench: Bench, network: Proxy, owner: str = "service") -> Side:
    """Return the service, which reaches Kafka through a network."""
    cluster = dataclasses.replace(bench.cluster, bootstrap=network.address, server=None)
    return bench.side("risk", owner, alias="signals", has_other_side=True, side="service", cluster=cluster)


@pytest.fixture
def sides(bench, network):
    execution, first, other = bench.side("execution").start(), app(bench).start(), behind(bench, network).start()
    bench.until(lambda: len(other.host.keys) == len(KEYS), "keys")
    bench.until(lambda: all(("risk", key) in other.host.keys[key].marks for key in KEYS), "seeds")
    return execution, first, other


def totals(key: str = "a") -> list[int]:
    return list(accumulate(range(1, Log.objects.using("execution").filter(key=key).count() + 1)))


def check_that_each_message_was_answered_once(bench: Bench) -> None:
    for alias in ("risk", "signals"):
        bench.until(lambda alias=alias: told_in_log(alias) == totals(), f"all that was said, in {alias}")
    bench.until(are_level, "the follower")
    assert list(disagreements({side: log("risk", side, "a") for side in Which})) == []
    assert sorted([leads("risk"), leads("signals")]) == [False, True]


@pytest.mark.parametrize("how", ["swallow", "cut"])
def test_a_leader_without_kafka_keeps_its_keys_and_nobody_hears_of_what_kafka_has_not(
    bench, handing, network, sides, how
):
    execution, first, _other = sides
    assert handing.hand_over(["a"], Which.SERVICE, seconds=PATIENCE_SECONDS)[0].took
    execution.say(1)
    bench.until(lambda: told_in_log("risk") == [1])
    getattr(network, how)()
    execution.say(2, 3)
    [handed] = handing.hand_over(["a"], Which.APP, seconds=0.3)
    assert not handed.took
    assert leads("signals")
    assert not leads("risk")
    network.mend()
    bench.until(lambda: not Request.objects.using("risk").exists(), "the wish, which is void")
    check_that_each_message_was_answered_once(bench)
    assert not first.host.keys["a"].is_leading


def test_a_key_goes_to_and_fro_over_a_slow_network(bench, handing, network, sides):
    execution, *_ = sides
    network.delay_seconds = 0.05
    for number, to in enumerate((Which.SERVICE, Which.APP, Which.SERVICE), 1):
        execution.say(number)
        [handed] = handing.hand_over(["a"], to, seconds=PATIENCE_SECONDS)
        assert (handed.took, handed.problem) == (True, "")
    check_that_each_message_was_answered_once(bench)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_side_that_dies_before_it_takes_what_it_was_given_never_does(bench, handing, sides, monkeypatch):
    execution, _first, other = sides
    execution.say(1)
    bench.until(are_level)

    def die(*_):
        raise SystemExit("in the middle of it")

    monkeypatch.setattr(other.host.store, "lead", die)
    [handed] = handing.hand_over(["a"], Which.SERVICE)
    assert not handed.took
    assert leads("risk")
    other.stop()
    execution.say(2)
    bench.until(lambda: told_in_log("risk") == [1, 3], "the app going on")
    again = service(bench).start()
    check_that_each_message_was_answered_once(bench)
    assert not again.host.keys["a"].is_leading


def test_without_the_facades_database_nothing_moves_and_both_sides_go_on(bench, handing, sides, monkeypatch):
    execution, *_ = sides
    execution.say(1)
    bench.until(are_level)

    def away(*_args, **_how):
        raise OperationalError("the facade's database is away")

    monkeypatch.setattr(moving, "change", away)
    mover = Mover("risk", bench.cluster, bench.topics, ["a"], str)
    with pytest.raises(OperationalError):
        mover.move(Routing(Stage.SHADOW), Stage.LIVE, frozenset(), "anna", "try", [])
    execution.say(2)
    check_that_each_message_was_answered_once(bench)
    assert leads("risk")


def test_a_leader_that_is_fenced_off_while_it_stands_still_changes_nothing_when_it_wakes(bench, handing, sides):
    execution, first, other = sides
    assert handing.hand_over(["a"], Which.SERVICE, seconds=PATIENCE_SECONDS)[0].took
    execution.say(1)
    bench.until(are_level)
    with other.host.turn.taken:  # as if the machine had stopped it
        execution.say(2)
        bench.until(lambda: other.host.waiting() > 0, "an input that it would answer")
        [handed] = handing.take_from_dead(["a"], Which.APP)
        assert (handed.took, handed.problem) == (True, "")
        bench.until(lambda: told_in_log("risk") == [1, 3], "the app's answer")
    execution.say(3)
    check_that_each_message_was_answered_once(bench)
    assert first.host.keys["a"].is_leading


def test_a_service_that_is_cut_off_from_kafka_is_seen_and_the_way_back_needs_nothing_of_it(
    bench, handing, network, sides, monkeypatch
):
    execution, first, other = sides
    monkeypatch.setattr(rows, "alias_of", lambda context, side: ALIASES[side] if context == "risk" else context)
    live = change("risk", Routing(), Stage.LIVE, who="anna", why="try", evidence=[])
    assert handing.hand_over(["a"], Which.SERVICE, seconds=PATIENCE_SECONDS)[0].took
    execution.say(1)
    bench.until(lambda: told_in_log("risk") == [1])
    bench.until(are_level)
    number = other.host.keys["a"].number
    bench.until(lambda: rows.not_relayed("risk", Which.SERVICE, {"a": number}) == set(), "its log in Kafka")
    assert rows.not_relayed("risk", Which.SERVICE, {"a": number + 1}) == {"a"}
    bench.until(lambda: rows.waiting_inputs("risk", ["a"]) == [])
    network.cut()
    execution.say(2)
    waits = ("a", "execution", "a")
    bench.until(lambda: [each[:3] for each in rows.waiting_inputs("risk", ["a"])] == [waits], "what a guard sees")
    Mover("risk", bench.cluster, bench.topics, ["a"], str).move(live, Stage.SHADOW, frozenset(), "guard", "cut", [])
    bench.until(lambda: told_in_log("risk") == [1, 3], "the app's answer")
    network.mend()
    check_that_each_message_was_answered_once(bench)
    assert first.host.keys["a"].is_leading


def again(side: Side, receiver: str) -> None:
    """Have Kafka given once more what it was given last of a stream, as after a death before that was remembered."""
    relay, stream = side.link.relay, (receiver, "a", "a")
    with relay._lock:
        if stream in relay._produced:
            relay._produced[stream] = max(0, relay._produced[stream] - 5 * 4096)
            relay._behind.add(stream)


def forget_groups(bench: Bench) -> None:
    """Have Kafka lose what it knows of how far each side has read."""
    ours = [f"{bench.topics.environment}.risk.{side}.{what}" for side in Which for what in ("inputs", "log")]
    for lost in bench.admin.delete_consumer_groups(ours).values():
        with contextlib.suppress(KafkaException):  # not made yet, or just being written
            lost.result(PATIENCE_SECONDS)


def stand_still(side: Side, seconds: float) -> None:
    """Have a host stop for a while, as a machine may, and go on then."""

    def hold() -> None:
        with side.host.turn.taken:
            time.sleep(seconds)

    threading.Thread(target=hold, daemon=True).start()


def _walk(bench: Bench, handing: Handing, network: Proxy, sides: tuple[Side, Side, Side], dice: random.Random) -> int:
    """Let all kinds of things go wrong, with a handover in the middle of each; return how many did."""
    execution, first, other = sides
    say, faults = iter(range(1, 1_000)), 0
    for _ in range(6):
        execution.say(*(next(say) for _ in range(dice.randint(1, 20))))
        what = dice.choice(["swallow", "cut", "slow", "well", "again", "forget", "stop"])
        faults += what != "well"
        match what:
            case "swallow":
                network.swallow()
            case "cut":
                network.cut()
            case "slow":
                network.delay_seconds = dice.uniform(0.01, 0.2)
            case "again":
                for side, receiver in ((execution, "risk"), (first, "risk"), (other, "risk")):
                    again(side, receiver)
            case "forget":
                forget_groups(bench)
            case "stop":
                stand_still(dice.choice([first, other]), dice.uniform(0.2, 1.5))
            case _:
                network.mend()
        execution.say(*(next(say) for _ in range(dice.randint(1, 20))))
        handing.hand_over(["a"], dice.choice(list(Which)), seconds=dice.choice([0.05, 0.3, 1.0]))
        execution.say(next(say))
        if dice.random() < 0.7:
            network.mend()
    network.mend()
    return faults


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 12))])
def test_whatever_befalls_handovers_each_message_is_answered_once(
    bench, handing, network, sides, seed, record_property
):
    record_property("faults", _walk(bench, handing, network, sides, random.Random(seed)))
    check_that_each_message_was_answered_once(bench)
