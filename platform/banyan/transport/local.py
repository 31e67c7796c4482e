"""The transport between contexts of one process, or of processes that share a PostgreSQL server.

A host's committed events go straight into the queues of the hosts beside it. What was committed and not handed on (a
crash, a full queue, a receiver in another process) is read from the sender's outbox.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from banyan.codec import Envelope, decode_envelope, encode_envelope, encode_message
from banyan.host import Delivery, Host
from banyan.host.delivery import EVENTS_PER_STEP_MAX, envelope_of_event, split_events
from banyan.messages import Message
from banyan.store import Outgoing, Store

Marks = Mapping[tuple[str, str], tuple[int, int]]
Missed = Callable[[str, int], list[Delivery]]


class Receiver(Protocol):
    """Whoever takes deliveries; may be called by any thread."""

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Let messages wait."""


class LocalTransport:
    """Joins hosts. `senders` gives, by receiving context, the contexts whose events it gets."""

    def __init__(self, senders: Mapping[str, Sequence[str]]) -> None:
        self._senders = senders
        self._receivers: dict[str, Receiver] = {}
        self._readers: dict[tuple[str, str], Store] = {}
        self._missed: dict[str, Missed] = {}
        self._taps: list[Callable[[list[Delivery]], None]] = []

    def tap(self, listen: Callable[[list[Delivery]], None]) -> None:
        """Let `listen` see what is committed in this process, before its receivers do. What it misses is gone."""
        self._taps.append(listen)

    def show(self, message: Message, key: str, sender: str, event_time_ns: int) -> None:
        """Let taps see a message that is in no log, such as a quote: who misses it sees the next one."""
        envelope = Envelope(
            name=message.wire_name, id="", key=key, sender=sender, sender_key=key, event_time_ns=event_time_ns
        )
        for listen in self._taps:
            listen([Delivery("", envelope, encode_message(message), message)])

    def join(self, host: Host[Any]) -> None:
        """Carry for `host`, from now on."""
        name = host.context.name
        self._receivers[name] = host
        host.hand_on = self.hand_on
        host.fetch = lambda key, marks: [*self.missed(name, key, marks), *self._requests(name, key)]

    def attach(self, name: str, receiver: Receiver, missed: Missed | None = None) -> None:
        """Carry for one that is no host. `missed(key, after)` returns what it has sent to a key after a position."""
        self._receivers[name] = receiver
        if missed is not None:
            self._missed[name] = missed

    def hand_on(self, deliveries: list[Delivery]) -> None:
        """Put committed events into the queues of receivers in this process, and wake those elsewhere."""
        for listen in self._taps:
            listen(deliveries)
        by_receiver: dict[str, list[Delivery]] = {}
        for delivery in deliveries:
            by_receiver.setdefault(delivery.receiver, []).append(delivery)
        for receiver, theirs in by_receiver.items():
            if receiver in self._receivers:
                self._receivers[receiver].offer(theirs)
            else:
                store = self._reader(theirs[0].envelope.sender, receiver)
                for key in {each.envelope.key for each in theirs}:
                    store.wake(key)

    def close(self) -> None:
        """Close the connections that missing messages are read through."""
        for store in self._readers.values():
            store.close()

    def missed(self, receiver: str, key: str, marks: Marks) -> list[Delivery]:
        """Return what the senders of a receiver keep for its key after its marks."""
        found: list[Delivery] = []
        for sender in self._senders.get(receiver, ()):
            after = {sender_key: position for (name, sender_key), (_, position) in marks.items() if name == sender}
            if sender in self._missed:
                found += self._missed[sender](key, after.get(key, 0))
            else:
                rows = self._reader(receiver, sender).outgoing(receiver, key, after)
                found += [_delivery(sender, row) for row in rows]
        return found

    def _requests(self, receiver: str, key: str) -> list[Delivery]:
        rows = self._reader(receiver, receiver).requests(key)
        return [Delivery(receiver, decode_envelope(header), body) for header, body in rows]

    def _reader(self, receiver: str, sender: str) -> Store:
        # One for each receiver: every host has a thread of its own, and a store is not for several.
        return self._readers.setdefault((receiver, sender), Store(sender))


class Command(NamedTuple):
    """A command for a key; `id` tells it from all others, so that sending it twice is sending it once."""

    key: str
    message: Message
    id: str


def ask(store: Store, commands: Sequence[Command], now_ns: int) -> int:
    """Send commands to keys of the context of `store`; return how many had not been sent before."""
    return store.ask([_as_row(command, now_ns) for command in commands]) if commands else 0


def _as_row(command: Command, now_ns: int) -> tuple[str, str, bytes, bytes]:
    envelope = Envelope(
        name=command.message.wire_name,
        id=command.id,
        key=command.key,
        correlation=command.id,
        event_time_ns=now_ns,
        sent_at_ns=now_ns,
    )
    return command.id, command.key, encode_envelope(envelope), encode_message(command.message)


def _delivery(sender: str, row: Outgoing) -> Delivery:
    name, body = split_events(row.events)[row.position % EVENTS_PER_STEP_MAX]
    envelope = envelope_of_event(
        decode_envelope(row.header),
        name=name,
        sender=sender,
        key=row.key,
        position=row.position,
        previous=row.previous,
        epoch=row.epoch,
        receiver_key=row.receiver_key,
        received_at_ns=row.received_at_ns,
    )
    return Delivery(row.receiver, envelope, body)
