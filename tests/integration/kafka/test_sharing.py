"""Workers that share the keys of a service: of one that is gone the others hold the keys, until it is back."""

from collections.abc import Callable, Iterator

import pytest

from banyan.clock import SystemClock
from banyan.host import Host, HostSettings
from banyan.models import Key
from banyan.process import HostWorker, Part
from banyan.store import Store
from extract.sharing import Sharing
from tests.integration.host import tally
from tests.integration.kafka.conftest import Running
from tests.patience import wait_until

pytestmark = pytest.mark.django_db(transaction=True, databases=["risk"])
ALL = ("a", "b", "c", "d", "e", "f")


class Worker:
    """A worker of a service with three parts, as a process has it."""

    def __init__(self, number: int, owner: str) -> None:
        clock = SystemClock()
        store = Store("risk", lease_seconds=3.0)
        self.host = Host(
            tally.context("risk"), store, [], clock, owner=owner, settings=HostSettings(poll_seconds=0.1)
        )  # fmt: skip
        part = Part(number, 3)
        self.sharing = Sharing("risk", part, lambda: part.of(ALL), lambda other: other.of(ALL))
        self._looking = Running(self.sharing)
        self._working = Running(HostWorker(self.host, self.sharing, clock))

    @property
    def holds(self) -> str:
        return "".join(sorted(self.host.keys))

    def die(self) -> None:
        """Be no longer there, and do nothing more, as one that was killed."""
        self.host.turn.taken.acquire()
        self._looking.stop()

    def stop(self) -> None:
        if self.host.turn.taken.locked():
            self.host.turn.taken.release()
        else:
            self._looking.stop()
        self._working.stop()


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def worker(number: int, owner: str = "") -> Worker:
        made.append(Worker(number, owner or f"worker {number}"))
        return made[-1]

    yield worker
    for each in made:
        each.stop()


def test_the_keys_of_a_worker_that_is_gone_are_held_by_the_others_until_it_is_back(start):
    first, second, third = (start(number) for number in (1, 2, 3))
    wait_until(lambda: (first.holds, second.holds, third.holds) == ("ad", "be", "cf"), "each its part")
    third.die()
    wait_until(lambda: (first.holds, second.holds) == ("acd", "bef"), "a share of what it held")
    back = start(3, "its successor")
    wait_until(lambda: (first.holds, second.holds, back.holds) == ("ad", "be", "cf"), "each its part again")
    owners = dict(Key.objects.using("risk").values_list("key", "owner"))
    assert owners == dict(zip(ALL, ["worker 1", "worker 2", "its successor"] * 2, strict=True))


def test_one_that_waits_for_a_part_that_is_held_stands_in_for_nobody(start):
    first = start(1)
    wait_until(lambda: first.holds == "abcdef", "all, since nobody runs the other parts")
    waiting = start(1, "its next version")
    second = start(2)
    wait_until(lambda: (first.holds, second.holds) == ("acd", "bef"), "each its part, and a share of the third")
    assert (waiting.holds, list(waiting.sharing.others)) == ("", [])
    first.die()
    wait_until(lambda: (waiting.holds, second.holds) == ("acd", "bef"), "what the one that is gone held")
