"""The transport between contexts of one process, or of processes that share a PostgreSQL server.

A host's committed events go straight into the queues of the hosts beside it. What was committed and not handed on (a
crash, a full queue, a receiver in another process) is read from the sender's outbox.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from banyan import tracing
from banyan.codec import Envelope, decode_envelope, encode_envelope, encode_message
from banyan.host import Delivery, Host, Wanted
from banyan.messages import Message
from banyan.store import Store
from banyan.transport.notices import notices_of
from banyan.transport.outbox import delivery_of

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
        self._keys: dict[str, frozenset[str] | None] = {}
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

    def join(self, host: Host[Any], keys: Sequence[str] | None = None) -> None:
        """Carry for `host`, from now on: for those of its context's keys that it is to hold, None for all."""
        name = host.context.name
        self._receivers[name] = host
        self._keys[name] = None if keys is None else frozenset(keys)
        self._readers[name, name] = host.store
        host.hand_on = self.hand_on
        host.fetch = lambda wanted: self.missed(name, wanted)

    def attach(self, name: str, receiver: Receiver, keys: Sequence[str] | None, missed: Missed | None = None) -> None:
        """Carry for the keys of one that is no host, None for all.

        `missed(key, after)` returns what it has sent to a key after a position.
        """
        self._receivers[name] = receiver
        self._keys[name] = None if keys is None else frozenset(keys)
        if missed is not None:
            self._missed[name] = missed

    def hand_on(self, deliveries: list[Delivery]) -> None:
        """Put committed events into the queues of receivers in this process, and wake those elsewhere."""
        for listen in self._taps:
            listen(deliveries)
        here: dict[str, list[Delivery]] = {}
        elsewhere: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            receiver, key = delivery.receiver, delivery.envelope.key
            if receiver in self._receivers and self._is_held(receiver, key):
                here.setdefault(receiver, []).append(delivery)
            else:
                elsewhere.setdefault((delivery.envelope.sender, receiver), []).append(delivery)
        for receiver, theirs in here.items():
            self._receivers[receiver].offer(theirs)
        for (sender, receiver), theirs in elsewhere.items():
            self._reader(sender, receiver).wake(notices_of(theirs))

    def close(self) -> None:
        """Close the connections that missing messages are read through."""
        for store in self._readers.values():
            store.close()

    def missed(self, receiver: str, wanted: Wanted) -> dict[str, list[Delivery]]:
        """Return what senders keep for keys of a receiver after their marks, by key, and before it commands."""
        found: dict[str, list[Delivery]] = {key: [] for key in wanted}
        commanded = [key for key, (_, senders) in wanted.items() if senders is None or "" in senders]
        if commanded:
            for key, header, body in self._reader(receiver, receiver).requests(commanded):
                found[key].append(Delivery(receiver, decode_envelope(header), body))
        for sender in self._senders.get(receiver, ()):
            after = {
                key: {sender_key: position for (name, sender_key), (_, position) in marks.items() if name == sender}
                for key, (marks, senders) in wanted.items()
                if senders is None or sender in senders
            }
            if sender in self._missed:
                for key, positions in after.items():
                    found[key] += self._missed[sender](key, positions.get(key, 0))
            elif after:
                for row in self._reader(receiver, sender).outgoing(receiver, after):
                    found[row.receiver_key].append(delivery_of(sender, row))
        return found

    def _is_held(self, receiver: str, key: str) -> bool:
        keys = self._keys[receiver]
        return keys is None or key in keys

    def _reader(self, receiver: str, sender: str) -> Store:
        # One for each receiver: a store is not for several threads at once, and each host has its turn by itself.
        return self._readers.setdefault((receiver, sender), Store(sender))


class Command(NamedTuple):
    """A command for a key; `id` tells it from all others, so that sending it twice is sending it once."""

    key: str
    message: Message
    id: str


def ask(store: Store, commands: Sequence[Command], now_ns: int) -> int:
    """Send commands to keys of the context of `store`; return how many had not been sent before.

    They belong to the trace of the request that is answered, if one is.
    """
    for command in commands:
        tracing.note(store.alias, command.key, command.id)
    return store.ask([_as_row(command, now_ns) for command in commands]) if commands else 0


def _as_row(command: Command, now_ns: int) -> tuple[str, str, bytes, bytes]:
    envelope = Envelope(
        name=command.message.wire_name,
        id=command.id,
        key=command.key,
        correlation=command.id,
        event_time_ns=now_ns,
        sent_at_ns=now_ns,
        trace=tracing.current(),
    )
    return command.id, command.key, encode_envelope(envelope), encode_message(command.message)
