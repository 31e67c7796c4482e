"""What reads from Kafka for keys whose hosts are in processes of their own: one client for all of them."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg

from banyan.codec import CodecError, decode_message
from banyan.context import Context
from banyan.host import Delivery, HostSettings
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.store import Store
from banyan.transport import Channels
from banyan.transport.kafka.intake import Intake

_LOOK_SECONDS = 1.0


class _HeldApart(NamedTuple):
    """A key that a process of its own holds, as of a moment ago."""

    epoch: int
    marks: Mapping[tuple[str, str], tuple[int, int]]
    parked_because: str
    is_leading: bool = True
    records: Sequence[Delivery] = ()


class Apart:
    """Stands for the hosts of `context`: what `senders` have relayed to their keys is passed on through `channels`.

    What a process applies it keeps with its place in Kafka, from which is read again when the process is another one.
    What does not get through a channel is missed, and asked of its sender. `listen` hears of what its keys have not
    applied, before it is passed on: a new leader sends the last of the old one again. `workers` are to run in the
    process of the channels.
    """

    def __init__(
        self, context: Context[Any], senders: Sequence[str], cluster: Cluster, topics: Topics, channels: Channels, *,
        listen: Callable[[list[Delivery]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.name = f"{context.name}-apart"
        self.context = context
        self.store = Store(context.name)
        self.settings = HostSettings()
        self.keys: Mapping[str, _HeldApart] = {}
        self._senders = list(senders)
        self._asked = Store(context.name)
        self._channels = channels
        self._listen = listen
        self._woken = threading.Event()
        self.intake = Intake(self, senders, cluster, topics, "app")
        self.workers: Sequence[Intake | Apart] = [self.intake, self]

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Pass on what was read; called by the intake."""
        found = [_decoded(each) for each in deliveries]
        new = self._not_applied(found)
        if new:
            self._listen(new)
        self._channels.offer(found)

    def waiting(self) -> int:
        """Return 0: channels take what they have room for."""
        return 0

    def run(self, stop: threading.Event) -> None:
        """Look once a second, until `stop` is set, which keys are held and how far they are."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.keys = self._held(self.store)
            except psycopg.OperationalError:
                self.store.close()
            else:
                self.intake.look({key: (each.marks, None) for key, each in self.keys.items()})
            self._woken.wait(max(0.0, _LOOK_SECONDS - (time.monotonic() - began)))
        self.store.close()
        self._asked.close()

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()

    def _not_applied(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        try:
            keys = self._held(self._asked)
        except psycopg.OperationalError:
            self._asked.close()
            keys = dict(self.keys)
        found = []
        for each in deliveries:
            envelope = each.envelope
            held = keys.get(envelope.key)
            mark = (0, 0) if held is None else held.marks.get((envelope.sender, envelope.sender_key), (0, 0))
            if envelope.number > mark[1]:
                found.append(each)
        return found

    def _held(self, store: Store) -> dict[str, _HeldApart]:
        rows = store.connection.execute(
            "SELECT k.key, k.epoch, k.parked_because, m.sender, m.sender_key, m.epoch, m.position FROM banyan_key AS k "
            "LEFT JOIN banyan_mark AS m ON m.key = k.key AND m.sender = ANY(%s) WHERE k.owner <> ''",
            [self._senders],
        ).fetchall()
        found: dict[str, _HeldApart] = {}
        marks: dict[str, dict[tuple[str, str], tuple[int, int]]] = {}
        for key, epoch, parked, sender, sender_key, *mark in rows:
            found.setdefault(key, _HeldApart(epoch, marks.setdefault(key, {}), parked))
            if sender is not None:
                marks[key][sender, sender_key] = mark[0], mark[1]
        return found


def _decoded(delivery: Delivery) -> Delivery:
    try:
        message = decode_message(delivery.envelope.name, delivery.body)
    except CodecError:
        return delivery  # whoever applies it is told why
    return delivery._replace(message=message)
