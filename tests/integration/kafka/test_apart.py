"""Both sides of risk with a host of its own for each key, at the other end of a channel, as sets have processes."""

import socket
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import pytest

from banyan.clock import SystemClock
from banyan.facade import Side as Which
from banyan.host import Host, HostSettings
from banyan.process import HostWorker
from banyan.store import Store
from banyan.transport import ChannelListener, Channels, LocalTransport
from banyan.transport.kafka import Apart, Link
from extract import sides
from extract.handing import Handing
from tests.integration.host import tally
from tests.integration.kafka.conftest import Bench, Running
from tests.integration.kafka.test_handover import ALIASES, are_level, leads, told_in_log
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True, databases=["execution", "risk", "signals"])
MINE = ("a", "b")


class SideApart:
    """A side with a host for each of its keys, and one client of Kafka for all of them."""

    def __init__(self, bench: Bench, which: Which) -> None:
        self.hosts: dict[str, Host[Any]] = {}
        self._children: list[Running] = []
        self._channels, self._clock, self._which = Channels("risk"), SystemClock(), which
        apart = Apart(tally.context("risk"), ["execution"], self._channels, alias=ALIASES[which], wanted=lambda: MINE)
        self.apart = apart
        self.link = Link(
            apart, bench.cluster, bench.topics, receivers=[], senders=["execution"], side=which, has_other_side=True
        )  # fmt: skip
        for key in MINE:
            self.fork(key)
        self.link.open()
        self._channels.join_other_side(is_there=True)
        self._parent = Running(*apart.workers, *self.link.workers)

    def fork(self, key: str) -> None:
        """Let a key have a host."""
        here, there = socket.socketpair()
        is_app = self._which is Which.APP
        host = self.hosts[key] = Host(
            tally.context("risk"), Store(ALIASES[self._which], leads_new=is_app), [], self._clock,
            owner=f"{self._which}-{key}-{len(self._children)}",
            settings=HostSettings(side=self._which, poll_seconds=0.2, always_decode=True),
        )  # fmt: skip
        LocalTransport({}).join(host, [key])
        self._channels.join(key, here)
        self._children.append(Running(HostWorker(host, [key], self._clock), ChannelListener(host, there)))

    def stop(self) -> None:
        for each in self._children:
            each.stop()
        self._parent.stop()
        self._channels.close()


@pytest.fixture
def make(bench: Bench) -> Iterator[Callable[[Which], SideApart]]:
    made: list[SideApart] = []

    def side(which: Which) -> SideApart:
        made.append(SideApart(bench, which))
        return made[-1]

    yield side
    for each in made:
        each.stop()


def test_a_key_with_a_process_of_its_own_follows_goes_to_the_service_and_comes_back(bench, make, monkeypatch):
    monkeypatch.setattr(sides, "alias_of", lambda context, side: ALIASES[side])
    execution, app, service = bench.side("execution").start(), make(Which.APP), make(Which.SERVICE)
    seeded = lambda: {key for key, each in service.apart.keys.items() if ("risk", key) in each.marks}  # noqa: E731
    bench.until(lambda: seeded() == set(MINE) and not service.apart.missing, "seeds")
    execution.say(1, 2, 3)
    bench.until(lambda: told_in_log("risk") == told_in_log("signals") == [1, 3, 6], "the app, and who follows")
    handing = Handing("risk", bench.cluster, bench.topics)
    for to, number in ((Which.SERVICE, 4), (Which.APP, 5)):
        [handed] = handing.hand_over(["a"], to, seconds=PATIENCE_SECONDS)
        assert (handed.took, handed.problem) == (True, "")
        assert (leads(ALIASES[to]), leads(ALIASES[to.other])) == (True, False)
        execution.say(number)
        totals = list(accumulate(range(1, number + 1)))
        bench.until(lambda totals=totals, to=to: told_in_log(ALIASES[to]) == totals, f"the {to}")
        bench.until(are_level, "who follows now")
    assert not leads("signals", "b")
    assert [step[:6] for step in Store("risk").steps("a", 0)] == [step[:6] for step in Store("signals").steps("a", 0)]
    assert app.link.verdicts.count > 0
    assert service.link.verdicts.count > 0


def test_a_process_that_is_another_one_reads_on_from_its_place_and_what_it_missed_is_asked_for(bench, make):
    execution, app = bench.side("execution").start(), make(Which.APP)
    execution.say(1)
    bench.until(lambda: told_in_log("risk") == [1], "the app")
    app._children[0].stop()
    execution.say(2, 3)
    bench.until(lambda: app.link.intake.count >= 3, "what nobody is there to hear")
    app.fork("a")
    bench.until(lambda: told_in_log("risk") == [1, 3, 6], "the next process")
