"""The one wire format: JSON by msgspec, columns as arrays of whole numbers.

Floats that are not finite are refused: JSON has no such numbers, and a nan that travels is a bug that travels.
"""

import math
from functools import lru_cache
from typing import Any, get_origin

import msgspec
import numpy as np

from banyan.columns import ColumnError, ints, to_wire
from banyan.messages import Message, MessageNameError, message_type


class CodecError(ValueError):
    """Bytes that are no message of ours, or a message that cannot be written; the message says which and why."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What travels around a message. Times are ns since 1970 UTC.

    `sender` and `sender_key` name the log that gave the message, `number` its place on the stream to `key`, and
    `previous` that of the message before it there (0: none). A sender without a log (an adapter, the API) leaves
    `number` 0 and is told apart by `id`. `epoch` is that of the sender's key when it was given.
    """

    name: str
    id: str
    key: str
    cause: str = ""
    correlation: str = ""
    sender: str = ""
    sender_key: str = ""
    epoch: int = 0
    number: int = 0
    previous: int = 0
    event_time_ns: int = 0
    sent_at_ns: int = 0
    deadline_ns: int | None = None
    trace: str = ""


def encode_message(message: Message) -> bytes:
    """Return a message as JSON. Raises CodecError for floats that are not finite."""
    _refuse_not_finite(message)
    return _ENCODER.encode(message)


def decode_message(name: str, body: bytes | msgspec.Raw) -> Message:
    """Return the message of wire name `name` that `body` holds. Raises CodecError when it is none."""
    try:
        return _decoder(message_type(name)).decode(body)
    except MessageNameError as problem:
        raise CodecError(str(problem)) from None
    except (msgspec.DecodeError, ColumnError) as problem:
        raise CodecError(f"{name}: {problem}") from None


def encode_envelope(envelope: Envelope) -> bytes:
    """Return an envelope as JSON."""
    return _ENCODER.encode(envelope)


def decode_envelope(header: bytes) -> Envelope:
    """Return the envelope that `header` holds. Raises CodecError when it is none."""
    try:
        return _ENVELOPES.decode(header)
    except msgspec.DecodeError as problem:
        raise CodecError(f"envelope: {problem}") from None


def _to_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return to_wire(value)
    raise TypeError(f"{type(value).__name__} is nothing that a message holds")


def _from_json(kind: Any, value: Any) -> Any:
    if kind is np.ndarray or get_origin(kind) is np.ndarray:
        return ints(value)
    raise TypeError(f"{kind} is nothing that a message holds")


def _refuse_not_finite(value: Any) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CodecError(f"{value} cannot travel: it is not a finite number")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _refuse_not_finite(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            _refuse_not_finite(each)
    elif isinstance(value, dict):
        for each in value.values():
            _refuse_not_finite(each)


_ENCODER = msgspec.json.Encoder(enc_hook=_to_json)
_ENVELOPES = msgspec.json.Decoder(Envelope)


@lru_cache(maxsize=1024)
def _decoder(kind: type[Message]) -> "msgspec.json.Decoder[Message]":
    return msgspec.json.Decoder(kind, dec_hook=_from_json)
