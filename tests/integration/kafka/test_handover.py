"""The lead of risk's keys handed from the app to a service and back; the service's database is that of `signals`."""

import threading
from itertools import accumulate

import msgspec
import psycopg
import pytest

from banyan.facade import Side as Which
from banyan.messages import HandOver, TookOver
from banyan.models import Key, Log, Request
from banyan.store import Store
from banyan.transport import Command, ask
from extract import sides
from extract.handing import Handing
from tests.integration.host import tally
from tests.integration.kafka.conftest import KEYS, Bench, Side
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk", "signals"])
ALIASES = {Which.APP: "risk", Which.SERVICE: "signals"}


@pytest.fixture
def handing(bench, monkeypatch) -> Handing:
    monkeypatch.setattr(sides, "alias_of", lambda context, side: ALIASES[side])
    return Handing("risk", bench.cluster, bench.topics)


def app(bench: Bench, owner: str = "app") -> Side:
    return bench.side("risk", owner, has_other_side=True)


def service(bench: Bench, owner: str = "service") -> Side:
    return bench.side("risk", owner, alias="signals", has_other_side=True, side="service")


def leads(alias: str, key: str = "a") -> bool:
    return Key.objects.using(alias).filter(key=key, is_leading=True).exists()


def are_level(key: str = "a") -> bool:
    rows = [Key.objects.using(alias).filter(key=key).first() for alias in ALIASES.values()]
    return all(rows) and rows[0].number == rows[1].number


def told_in_log(alias: str, key: str = "a") -> list[int]:
    """Return the totals that the inputs of a key's log tell, in order."""
    steps = list(Store(alias).steps(key, 0))
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
    bodies = [msgspec.json.decode(step.body) for step in steps]
    return [each["total"] for each in bodies if "total" in each]


def both(bench: Bench) -> tuple[Side, Side, Side]:
    execution, first, other = bench.side("execution").start(), app(bench).start(), service(bench).start()
    bench.until(lambda: len(other.host.keys) == len(KEYS), "keys")
    bench.until(lambda: all(("risk", key) in other.host.keys[key].marks for key in KEYS), "seeds")
    return execution, first, other


def test_keys_go_to_and_fro_under_load_and_no_message_is_lost_doubled_or_answered_twice(bench, handing):
    execution, _first, _other = both(bench)
    is_over = threading.Event()

    def load() -> None:
        for each in range(1, 2_000):
            execution.say(each, key="a")
            if is_over.wait(0.002):
                return

    loading = threading.Thread(target=load)
    loading.start()
    for to in (Which.SERVICE, Which.APP, Which.SERVICE):
        for handed in handing.hand_over(["a", "b"], to, seconds=PATIENCE_SECONDS):
            assert (handed.took, handed.problem) == (True, "")
            assert leads(ALIASES[to], handed.key)
            assert not leads(ALIASES[to.other], handed.key)
    is_over.set()
    loading.join()
    sent = Log.objects.using("execution").filter(key="a").count
    totals = lambda: list(accumulate(range(1, sent() + 1)))  # noqa: E731
    bench.until(lambda: told_in_log("signals") == totals(), "all of it")
    bench.until(are_level, "the follower")
    logs = [[step[:6] for step in Store(alias).steps("a", 0)] for alias in ALIASES.values()]
    assert logs[0] == logs[1]
    epochs = [step.epoch for step in Store("risk").steps("a", 0)]
    assert epochs == sorted(epochs)
    ends = [step for step in Store("risk").steps("a", 0) if HandOver.wire_name.encode() in step.header]
    begins = [step for step in Store("risk").steps("a", 0) if TookOver.wire_name.encode() in step.header]
    assert [step.number + 1 for step in ends] == [step.number for step in begins]
    assert len({step.epoch for step in begins}) == 3


def test_one_that_was_fenced_off_before_it_took_a_key_never_takes_it(bench, handing):
    _, _, other = both(bench)
    epoch = other.host.keys["a"].epoch
    sides.fence_off("risk", Which.SERVICE, "a")
    assert Store("signals").lead("risk", "a", epoch, epoch) is None
    assert not leads("signals")


def test_what_a_dead_follower_does_not_take_goes_back_within_its_time(bench, handing):
    execution, first, other = both(bench)
    execution.say(1)
    bench.until(lambda: first.told() == [1])
    bench.until(are_level)
    other.stop()
    [handed] = handing.hand_over(["a"], Which.SERVICE)
    assert not handed.took
    assert "has not taken it" in handed.problem
    assert leads("risk")
    assert not leads("signals")
    execution.say(2)
    bench.until(lambda: told_in_log("risk") == [1, 3], "the app going on")
    again = service(bench, "again").start()
    bench.until(are_level, "it follows again")
    assert not again.host.keys["a"].is_leading


def test_a_wish_that_its_leader_does_not_hear_in_time_is_void(bench, handing):
    execution, first, _other = both(bench)
    execution.say(1)
    bench.until(lambda: first.told() == [1])
    bench.until(are_level)
    first.stop()
    [handed] = handing.hand_over(["a"], Which.SERVICE)
    assert "has not answered" in handed.problem
    back = app(bench, "back").start()
    bench.until(lambda: not Request.objects.using("risk").exists(), "the wish")
    execution.say(2)
    bench.until(lambda: told_in_log("risk") == [1, 3])
    assert leads("risk")
    assert back.host.keys["a"].is_leading


def test_a_dead_leaders_log_is_brought_to_its_end_and_it_changes_nothing_when_it_comes_back(bench, handing):
    execution, _first, other = both(bench)
    assert handing.hand_over(["a"], Which.SERVICE, seconds=PATIENCE_SECONDS)[0].took
    execution.say(1)
    bench.until(lambda: told_in_log("signals") == [1])
    other.link.close()  # from here on nothing that it commits gets to Kafka
    other.link.relay.offer = lambda _: None  # type: ignore[method-assign]
    execution.say(2)
    bench.until(lambda: told_in_log("signals") == [1, 3])
    [handed] = handing.take_from_dead(["a"], Which.APP)
    assert (handed.took, handed.problem) == (True, "")
    execution.say(3)
    bench.until(lambda: told_in_log("risk") == [1, 3, 6], "the app going on")
    assert not leads("signals")
    other.stop()
    service(bench, "again").start()
    bench.until(are_level, "it follows")
    assert told_in_log("signals") == [1, 3, 6]


def test_where_the_dead_leaders_database_cannot_be_reached_the_key_stays_where_it_is(bench, handing, monkeypatch):
    _execution, _first, _other = both(bench)
    assert handing.hand_over(["a"], Which.SERVICE, seconds=PATIENCE_SECONDS)[0].took

    def refuse(*_):
        raise psycopg.OperationalError("no route to it")

    monkeypatch.setattr("extract.handing.fence_off", refuse)
    [handed] = handing.take_from_dead(["a"], Which.APP)
    assert not handed.took
    assert "nobody knows what it still does" in handed.problem
    assert leads("signals")
    assert not leads("risk")


def test_what_people_ask_reaches_whoever_leads_and_is_done_once(bench, handing):
    _execution, first, other = both(bench)
    assert handing.hand_over(["a"], Which.SERVICE, seconds=PATIENCE_SECONDS)[0].took
    ask(Store("risk"), [Command("a", tally.Add(number=5), "wish")], 1)
    bench.until(lambda: other.host.keys["a"].state["numbers"] == [5], "the service")
    bench.until(lambda: not Request.objects.using("risk").exists(), "the app's knowing of it")
    ask(Store("risk"), [Command("a", tally.Add(number=5), "wish")], 1)
    assert handing.hand_over(["a"], Which.APP, seconds=PATIENCE_SECONDS)[0].took
    ask(Store("risk"), [Command("a", tally.Add(number=6), "other")], 1)
    bench.until(lambda: first.host.keys["a"].state["numbers"] == [5, 6])
