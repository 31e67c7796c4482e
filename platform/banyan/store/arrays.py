"""Values and columns of a statement as PostgreSQL takes them in binary."""

from collections.abc import Callable, Sequence
from struct import Struct, pack
from typing import Any

_HEAD = Struct("!iiIii")  # dimensions, whether there are nulls, type of the values, how many, first index
_LENGTH = Struct("!i")
_DOUBLE = Struct("!d")
_NULL = _LENGTH.pack(-1)


def array_of(kind: str, values: Sequence[Any]) -> bytes:
    """Return values as an array of PostgreSQL's type `kind`; None is NULL."""
    item, write = _KINDS[kind]
    if len(values) == 1 and values[0] is not None:
        return _HEAD.pack(1, 0, item, 1, 1) + write(values[0])
    if not values:
        return pack("!iiI", 0, 0, item)
    has_nulls = None in values
    written = [_NULL if value is None else write(value) for value in values] if has_nulls else map(write, values)
    return _HEAD.pack(1, has_nulls, item, len(values), 1) + b"".join(written)


def double_of(value: float) -> bytes:
    """Return a value of type double precision."""
    return _DOUBLE.pack(value)


def _bytes(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _number(code: str) -> Callable[[int], bytes]:
    both = Struct(f"!i{code}")
    size = both.size - _LENGTH.size
    return lambda value: both.pack(size, value)


_KINDS: dict[str, tuple[int, Callable[[Any], bytes]]] = {
    "text": (25, _text),
    "bytea": (17, _bytes),
    "bigint": (20, _number("q")),
    "integer": (23, _number("i")),
    "smallint": (21, _number("h")),
    "bool": (16, _number("?")),
}
