"""Messages that travel in notifications to the processes beside this one."""

from collections.abc import Iterable

import msgspec

from banyan.codec import CodecError, decode_envelope, decode_message, encode_envelope
from banyan.host import Delivery
from banyan.store import Notice, Store


def notices_of(deliveries: Iterable[Delivery]) -> list[Notice]:
    """Return what to tell those that are to get deliveries of one sender: one that goes to many keys is told once."""
    events: dict[tuple[str, int], list[Delivery]] = {}
    for each in deliveries:
        events.setdefault((each.envelope.sender_key, each.envelope.number), []).append(each)
    return [
        Notice(
            sender=same[0].envelope.sender,
            keys=[each.envelope.key for each in same],
            previous=[each.envelope.previous for each in same],
            header=msgspec.Raw(encode_envelope(same[0].envelope)),
            body=msgspec.Raw(same[0].body),
        )
        for same in events.values()
    ]


def deliveries_of(receiver: str, notice: Notice) -> list[Delivery]:
    """Return the messages to keys of `receiver` that have come with a notice."""
    first, body = decode_envelope(bytes(notice.header)), bytes(notice.body)
    try:
        message = decode_message(first.name, body)
    except CodecError:
        message = None  # whoever applies it is told why
    return [
        Delivery(receiver, msgspec.structs.replace(first, key=key, previous=previous), body, message)
        for key, previous in zip(notice.keys, notice.previous, strict=True)
    ]


class Notified:
    """Stands for a receiver that is elsewhere: what it is offered is told to whoever listens in a database."""

    def __init__(self, alias: str) -> None:
        self._store = Store(alias)

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Tell of deliveries; may be called by one thread. Raises psycopg.OperationalError."""
        self._store.wake(notices_of(deliveries))
