"""What is read from an outbox, made into the delivery that was, or would have been, handed on."""

from banyan.codec import decode_envelope
from banyan.host import Delivery
from banyan.host.delivery import EVENTS_PER_STEP_MAX, envelope_of_event, split_events
from banyan.store import Outgoing


def delivery_of(sender: str, row: Outgoing) -> Delivery:
    """Return the delivery of an outbox row of the context `sender`."""
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
