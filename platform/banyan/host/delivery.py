"""A message on its way into a key, and the envelope that an event leaves with."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from banyan.codec import Envelope
from banyan.ids import derive
from banyan.messages import Message

EVENTS_PER_STEP_MAX = 4096
"""A position is a log number times this plus the index of an event, so one input gives fewer events than this."""

_EVENTS = msgspec.json.Decoder(list[tuple[str, msgspec.Raw]])


class Place(NamedTuple):
    """Where in Kafka a message was read."""

    topic: str
    partition: int
    offset: int


class Delivery(NamedTuple):
    """A message for a key of `receiver`. `message` is what `body` decodes to, where the sender is in this process."""

    receiver: str
    envelope: Envelope
    body: bytes
    message: Message | None = None
    place: Place | None = None


def position_of(number: int, index: int) -> int:
    """Return the position of event `index` of log record `number`."""
    assert index < EVENTS_PER_STEP_MAX, f"one input gave {index + 1} events"
    return number * EVENTS_PER_STEP_MAX + index


def envelope_of_event(
    cause: Envelope, *, name: str, sender: str, key: str, position: int, previous: int, epoch: int,
    receiver_key: str, received_at_ns: int,
) -> Envelope:  # fmt: skip
    """Return the envelope of an event: the same whether it is handed on at once or read from the outbox later."""
    return Envelope(
        name=name,
        id=derive(cause.id, sender, key, position % EVENTS_PER_STEP_MAX),
        key=receiver_key,
        cause=cause.id,
        correlation=cause.correlation or cause.id,
        sender=sender,
        sender_key=key,
        epoch=epoch,
        number=position,
        previous=previous,
        event_time_ns=cause.event_time_ns,
        sent_at_ns=received_at_ns,
        deadline_ns=cause.deadline_ns,
        trace=cause.trace,
    )


def join_events(events: Iterable[tuple[str, bytes]]) -> bytes:
    """Return events (wire name, encoded message) as the log holds them."""
    return b"[" + b",".join(b'["%b",%b]' % (name.encode(), body) for name, body in events) + b"]"


def split_events(joined: bytes) -> list[tuple[str, bytes]]:
    """Return the events that `join_events` has joined."""
    return [(name, bytes(body)) for name, body in _EVENTS.decode(joined)]
