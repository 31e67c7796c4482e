"""A message as a Kafka record: its key is the receiver's key, its value the message, its header the envelope."""

from typing import Any

import msgspec

from banyan.codec import Envelope, decode_envelope

HEADER = "envelope"


class Resend(msgspec.Struct, frozen=True):
    """What a receiver asks a sender: everything on a stream after a position, again."""

    receiver: str
    receiver_key: str
    sender_key: str
    after: int


_RESENDS = msgspec.json.Decoder(Resend)
encode_resend = msgspec.json.Encoder().encode


def decode_resend(value: bytes | None) -> Resend:
    """Return what is asked for. Raises msgspec.DecodeError."""
    return _RESENDS.decode(value or b"")


def envelope_of(record: Any) -> Envelope:
    """Return the envelope of a record. Raises CodecError where it has none that can be read."""
    return decode_envelope(dict(record.headers() or ()).get(HEADER) or b"")
