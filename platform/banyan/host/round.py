"""One round of a host: inputs applied in memory, and the rows that will make them true."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from banyan.codec import Envelope, decode_message, encode_envelope, encode_message
from banyan.context import Context
from banyan.host.delivery import Delivery, envelope_of_event, join_events, position_of
from banyan.host.memory import KeyMemory
from banyan.host.routes import Route
from banyan.host.streams import Verdict, judge
from banyan.messages import (
    HandOver,
    Logged,
    Message,
    MessageParked,
    Received,
    RowsParked,
    TimerCancelled,
    TimerDue,
    TimerSet,
    TookOver,
)
from banyan.store import Batch, DeadLetter, Output, Step

State = TypeVar("State")
Routes = Mapping[type[Message], Sequence[Route]]


class Origin(NamedTuple):
    """When an input was received, and in which epoch of its key it was decided."""

    received_at_ns: int
    epoch: int


class Shown(NamedTuple):
    """A record of its leader's log that a key has taken in, and the events that it gave."""

    envelope: Envelope
    logged: Logged
    events: Sequence[Message]


@dataclass(slots=True)
class Round(Generic[State]):
    """What one round has applied, all that it has decided received at the same time, and none of it committed yet.

    `side` is the one that this is. `seen` are the (key, id) of inputs without a number that were applied before. `gaps`
    collects the keys to which a message came before its turn; it is left to be read from its sender's outbox.
    `followed` is what keys that follow have to say of what they would have decided, `shown` what their leaders did.
    `ended` are keys that are led here no longer after this, `given` those that are from now on, with the epoch that has
    ended.
    """

    context: Context[State]
    routes: Routes
    received_at_ns: int
    seen: set[tuple[str, str]]
    always_decode: bool
    side: str = "app"
    compare_percent: int = 100
    batch: Batch = field(default_factory=Batch)
    outgoing: list[Delivery] = field(default_factory=list)
    gaps: set[str] = field(default_factory=set)
    followed: list[Delivery] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    given: dict[str, int] = field(default_factory=dict)

    def apply(self, memory: KeyMemory[State], delivery: Delivery) -> None:
        """Apply an input whose turn it is, and pass over one that was applied already or comes too early.

        Raises CodecError for what cannot be decoded, and whatever the context's own code raises.
        """
        if not self._is_due(memory, delivery):
            return
        message = None if self.always_decode else delivery.message
        if message is None:
            message = decode_message(delivery.envelope.name, delivery.body)
        if isinstance(message, HandOver | TookOver):
            self._change_leader(memory, delivery, message)
            return
        received = Received(
            message=message,
            id=delivery.envelope.id,
            key=memory.key,
            received_at_ns=self.received_at_ns,
            event_time_ns=delivery.envelope.event_time_ns,
            deadline_ns=delivery.envelope.deadline_ns,
            correlation=delivery.envelope.correlation,
        )
        events = self.context.decide(memory.state, received)
        for event in events:
            memory.state = self.context.evolve(memory.state, event)
        self.record(memory, delivery, events, _encoded(events), Origin(self.received_at_ns, memory.epoch))

    def _change_leader(self, memory: KeyMemory[State], delivery: Delivery, message: HandOver | TookOver) -> None:
        """Keep the record that ends or begins an epoch; a wish to end it that comes too late is kept and void."""
        if isinstance(message, HandOver) and message.to != self.side and self.received_at_ns <= message.until_ns:
            self.ended.add(memory.key)
        self.record(memory, delivery, [], [], Origin(self.received_at_ns, memory.epoch))
        if memory.key in self.ended:
            mark = memory.epoch, memory.number
            memory.marks[self.context.name, memory.key] = mark
            self.batch.mark(memory.key, self.context.name, memory.key, *mark)

    def park(self, memory: KeyMemory[State], delivery: Delivery, reason: str) -> None:
        """Put an input aside as a dead letter, and move on."""
        if not self._is_due(memory, delivery):
            return
        parked = MessageParked(id=delivery.envelope.id, reason=reason)
        memory.state = self.context.evolve(memory.state, parked)
        self.record(memory, delivery, [parked], _encoded([parked]), Origin(self.received_at_ns, memory.epoch))

    def _is_due(self, memory: KeyMemory[State], delivery: Delivery) -> bool:
        envelope = delivery.envelope
        if not envelope.number:
            return (memory.key, envelope.id) not in self.seen
        mark = memory.marks.get((envelope.sender, envelope.sender_key), (0, 0))
        verdict = judge(mark, envelope)
        if verdict is Verdict.HOLD:
            self.gaps.add(memory.key)
        return verdict is Verdict.APPLY

    def record(
        self, memory: KeyMemory[State], delivery: Delivery, events: Sequence[Message],
        encoded: Sequence[tuple[str, bytes]], origin: Origin,
    ) -> None:  # fmt: skip
        """Keep an input and the events that it gave, which memory has taken in already, and what follows from them."""
        envelope, key = delivery.envelope, memory.key
        begins = self.batch.keys[key][1] if key in self.batch.keys else memory.number
        memory.number += 1
        stays = memory.is_leading and key not in self.ended
        self.batch.keys[key] = memory.epoch, begins, memory.number, memory.is_leading, stays
        header = encode_envelope(envelope)
        self.batch.steps.append(
            Step(
                key, memory.number, origin.received_at_ns, header, delivery.body, join_events(encoded), origin.epoch
            )
        )  # fmt: skip
        self._move_mark(memory, delivery)
        for index, (event, (name, body)) in enumerate(zip(events, encoded, strict=True)):
            match event:
                case TimerSet():
                    memory.timers[event.name] = event.due_ns
                    self.batch.set_timer(key, event.name, event.due_ns)
                case TimerCancelled():
                    memory.timers.pop(event.name, None)
                    self.batch.set_timer(key, event.name, None)
                case RowsParked():
                    self._bury(memory, delivery, event.reason, event.rows.tolist(), event.accounts.tolist(), header)
                case MessageParked():
                    self._bury(memory, delivery, event.reason, None, None, header)
                case _:
                    self._send(memory, delivery, index, event, name, body, origin)

    def _move_mark(self, memory: KeyMemory[State], delivery: Delivery) -> None:
        envelope, key = delivery.envelope, memory.key
        if delivery.place is not None:
            self.batch.move_place(key, *delivery.place)
        if envelope.number:
            mark = envelope.epoch, envelope.number
            memory.marks[envelope.sender, envelope.sender_key] = mark
            self.batch.mark(key, envelope.sender, envelope.sender_key, *mark)
        elif envelope.name == TimerDue.wire_name:
            name = envelope.correlation
            memory.timers.pop(name, None)
            self.batch.set_timer(key, name, None)
        else:
            self.seen.add((key, envelope.id))
            self.batch.seen.append((key, envelope.id))

    def _send(
        self, memory: KeyMemory[State], delivery: Delivery, index: int, event: Message, name: str, body: bytes,
        origin: Origin,
    ) -> None:  # fmt: skip
        position = position_of(memory.number, index)
        for route in self.routes.get(type(event), ()):
            for receiver_key in route.keys(memory.key, event, memory.state):
                stream = route.receiver, receiver_key
                previous = memory.streams.get(stream, 0)
                memory.streams[stream] = position
                self.batch.send(Output(*stream, memory.key, position, previous, origin.epoch))
                if not memory.is_leading:
                    continue  # kept for the day on which it leads; what it follows has been sent by its leader
                envelope = envelope_of_event(
                    delivery.envelope,
                    name=name,
                    sender=self.context.name,
                    key=memory.key,
                    position=position,
                    previous=previous,
                    epoch=origin.epoch,
                    receiver_key=receiver_key,
                    received_at_ns=origin.received_at_ns,
                )
                self.outgoing.append(Delivery(route.receiver, envelope, body, event))

    def _bury(
        self, memory: KeyMemory[State], delivery: Delivery, reason: str, rows: list[int] | None,
        accounts: list[int] | None, header: bytes,
    ) -> None:  # fmt: skip
        self.batch.dead_letters.append(
            DeadLetter(
                memory.key,
                memory.number,
                reason,
                None if rows is None else json.dumps(rows),
                None if accounts is None else json.dumps(accounts),
                header,
                delivery.body,
            )
        )


def _encoded(events: Sequence[Message]) -> list[tuple[str, bytes]]:
    return [(event.wire_name, encode_message(event)) for event in events]
