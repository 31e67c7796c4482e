import itertools
from collections.abc import Iterator

import pytest

from banyan.clock import VirtualClock
from banyan.codec import Envelope, encode_message
from banyan.host import Delivery, Host, HostSettings
from banyan.messages import Message
from banyan.store import Store
from banyan.transport import LocalTransport
from tests.integration.host import tally


class Pair:
    """`execution` and `risk` in one process, stepped by hand. `restart` is a crash: all memory is lost."""

    def __init__(self) -> None:
        self.clock = VirtualClock(1_000_000_000)
        self.ids = itertools.count(1)
        self.stores: list[Store] = []
        self.transports: list[LocalTransport] = []
        self.settings = HostSettings(always_decode=True, snapshot_every=4, snapshot_quiet_seconds=0.0)
        self.restart()

    def restart(self, owner: str = "one", joined: tuple[str, ...] = ("execution", "risk")) -> None:
        self.transport = LocalTransport(tally.SENDERS)
        self.transports.append(self.transport)
        self.execution = self.host("execution", owner)
        self.risk = self.host("risk", owner)
        for host in (self.execution, self.risk):
            if host.context.name in joined:
                self.transport.join(host)
            host.open(["a", "b"])

    def host(self, name: str, owner: str) -> Host:
        store = Store(name)
        self.stores.append(store)
        return Host(
            tally.context(name), store, tally.ROUTES if name == "execution" else [], self.clock,
            owner=owner, settings=self.settings,
        )  # fmt: skip

    def say(self, message: Message, key: str = "a", message_id: str = "") -> Delivery:
        delivery = self.delivery(message, key, message_id)
        self.execution.offer([delivery])
        return delivery

    def delivery(self, message: Message, key: str = "a", message_id: str = "") -> Delivery:
        envelope = Envelope(name=message.wire_name, id=message_id or f"m{next(self.ids)}", key=key)
        return Delivery("execution", envelope, encode_message(message))

    def settle(self) -> None:
        for _ in range(200):
            if not (self.execution.step() | self.risk.step()) and self.execution.is_quiet() and self.risk.is_quiet():
                return
        raise AssertionError("it does not come to rest")

    def state(self, key: str = "a") -> dict:
        return self.execution.keys[key].state

    def told(self, key: str = "a") -> list[int]:
        return self.risk.keys[key].state["told"]


@pytest.fixture
def pair(transactional_db: None) -> Iterator[Pair]:
    made = Pair()
    yield made
    for each in (*made.stores, *made.transports):
        each.close()
