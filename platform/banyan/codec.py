"""The one wire format: JSON by msgspec, columns as arrays of whole numbers.

Floats that are not finite are refused: JSON has no such numbers, and a nan that travels is a bug that travels.
"""

import math
from functools import lru_cache
from typing import Any, get_origin

import msgspec
import msgspec.inspect
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
    for name in _fields_with_floats(type(message)):
        _refuse_not_finite(getattr(message, name))
    return _ENCODER.encode(message)


def decode_message(name: str, body: bytes | msgspec.Raw) -> Message:
    """Return the message of wire name `name` that `body` holds. Raises CodecError when it is none."""
    try:
        return _decoder(message_type(name)).decode(body)
    except MessageNameError as problem:
        raise CodecError(str(problem)) from None
    except (msgspec.DecodeError, ColumnError, UnicodeDecodeError) as problem:
        raise CodecError(f"{name}: {problem}") from None


def encode_envelope(envelope: Envelope) -> bytes:
    """Return an envelope as JSON."""
    return _ENCODER.encode(envelope)


def decode_envelope(header: bytes) -> Envelope:
    """Return the envelope that `header` holds. Raises CodecError when it is none."""
    try:
        return _ENVELOPES.decode(header)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
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
        for name in _fields_with_floats(type(value)):
            _refuse_not_finite(getattr(value, name))
    elif isinstance(value, list | tuple):
        for each in value:
            _refuse_not_finite(each)
    elif isinstance(value, dict):
        for each in value.values():
            _refuse_not_finite(each)


@lru_cache(maxsize=1024)
def _fields_with_floats(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the fields in which a float may be: most columns of hot messages are whole numbers, and need no look."""
    declared = msgspec.inspect.type_info(kind)
    assert isinstance(declared, msgspec.inspect.StructType)
    return tuple(field.name for field in declared.fields if _may_hold_floats(field.type, {kind}))


def _may_hold_floats(declared: msgspec.inspect.Type, inside: set[type]) -> bool:
    match declared:
        case msgspec.inspect.CustomType():
            return False  # a column
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            return cls not in inside and any(_may_hold_floats(field.type, inside | {cls}) for field in fields)
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            return _may_hold_floats(item, inside)
        case msgspec.inspect.TupleType(item_types=items) | msgspec.inspect.UnionType(types=items):
            return any(_may_hold_floats(each, inside) for each in items)
        case msgspec.inspect.DictType(value_type=value):
            return _may_hold_floats(value, inside)
        case _:
            return not isinstance(declared, _NO_FLOATS)


_NO_FLOATS = (
    msgspec.inspect.BoolType, msgspec.inspect.BytesType, msgspec.inspect.EnumType, msgspec.inspect.IntType,
    msgspec.inspect.LiteralType, msgspec.inspect.NoneType, msgspec.inspect.StrType,
)  # fmt: skip
_ENCODER = msgspec.json.Encoder(enc_hook=_to_json)
_ENVELOPES = msgspec.json.Decoder(Envelope)


@lru_cache(maxsize=1024)
def _decoder(kind: type[Message]) -> "msgspec.json.Decoder[Message]":
    return msgspec.json.Decoder(kind, dec_hook=_from_json)
