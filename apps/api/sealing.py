"""What callers carry for us without reading it, places in logs and lists, sealed by the firm's own secret.

A place is numbers of records, and by two of them anybody would know how much all others have traded in between.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings

from apps.api.problems import Problem

_PREFIX = "v1."
_BLOCK = 32
"""Bytes that what is sealed is filled up to a multiple of: how long a number is says how large it is."""


def sealed(value: Any, purpose: str) -> str:
    """Return a value as text that tells nobody what it is, the same for the same value and purpose."""
    plain = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME, default=str)
    filled = plain + b" " * (-len(plain) % _BLOCK)
    return _sealed(filled, purpose, settings.SECRET_KEY)


@lru_cache(maxsize=1_024)
def _sealed(filled: bytes, purpose: str, secret: str) -> str:
    """Return it sealed: a thousand who listen to the same are told the same place."""
    closed = _cipher(secret).encrypt(filled, [purpose.encode()])
    return _PREFIX + base64.urlsafe_b64encode(closed).decode().rstrip("=")


def opened(text: str, purpose: str) -> Any:
    """Return the value that was sealed for a purpose; None for what was not."""
    if not text.startswith(_PREFIX):
        return None
    written = text.removeprefix(_PREFIX)
    try:
        closed = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
        return orjson.loads(_cipher(settings.SECRET_KEY).decrypt(closed, [purpose.encode()]))
    except (ValueError, binascii.Error, InvalidTag):
        return None


@lru_cache(maxsize=2)
def _cipher(secret: str) -> AESSIV:
    return AESSIV(hashlib.sha512(b"banyan places\n" + secret.encode()).digest())


def cursor_of(sort: str, place: Sequence[Any]) -> str:
    """Return the cursor of what comes after a place in a list of that sort."""
    return sealed([sort, *place], "cursor")


def place_of(cursor: str | None, sort: str, kinds: Sequence[type]) -> tuple[Any, ...] | None:
    """Return the place that a cursor of a list with that sort stands for. Raises Problem for what is none."""
    if not cursor:
        return None
    values = opened(cursor, "cursor")
    if not isinstance(values, list) or values[0] != sort or [type(each) for each in values[1:]] != list(kinds):
        raise Problem("cursor-invalid")
    return tuple(values[1:])
