"""Columns of a statement as PostgreSQL takes arrays in binary: written at once, where psycopg looks at each value."""

from collections.abc import Callable, Sequence
from struct import Struct, pack
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = Struct("!iiIii")  # dimensions, whether there are nulls, type of the values, how many, first index
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)


class _Array(bytes):
    """An array, written."""


class Texts(_Array):
    """An array of text."""


class Bytes(_Array):
    """An array of bytea."""


class Bigints(_Array):
    """An array of bigint."""


class Integers(_Array):
    """An array of integer."""


class Smallints(_Array):
    """An array of smallint."""


class Bools(_Array):
    """An array of bool."""


def array_of(kind: str, values: Sequence[Any]) -> _Array:
    """Return values as an array of PostgreSQL's type `kind`; None is NULL."""
    made, item, write = _KINDS[kind]
    if not values:
        return made(pack("!iiI", 0, 0, item))
    has_nulls = None in values
    written = [_NULL if value is None else write(value) for value in values] if has_nulls else map(write, values)
    return made(_HEAD.pack(1, has_nulls, item, len(values), 1) + b"".join(written))


def know_arrays(connection: "psycopg.Connection[Any]") -> None:
    """Let a connection take arrays that are written."""
    for kind, oid in _ARRAYS.items():
        connection.adapters.register_dumper(kind, type(f"{kind.__name__}Dumper", (_Dumper,), {"oid": oid}))


class _Dumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return obj


def _bytes(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _number(code: str) -> Callable[[int], bytes]:
    both = Struct(f"!i{code}")
    size = both.size - _LENGTH.size
    return lambda value: both.pack(size, value)


_KINDS: dict[str, tuple[type[_Array], int, Callable[[Any], bytes]]] = {
    "text": (Texts, 25, _text),
    "bytea": (Bytes, 17, _bytes),
    "bigint": (Bigints, 20, _number("q")),
    "integer": (Integers, 23, _number("i")),
    "smallint": (Smallints, 21, _number("h")),
    "bool": (Bools, 16, _number("?")),
}
_ARRAYS = {Texts: 1009, Bytes: 1001, Bigints: 1016, Integers: 1007, Smallints: 1005, Bools: 1000}
