"""Cursors: where a list of rows is to go on, as text for an address."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

_INTEGER_MAX = 2**63 - 1


def encoded(values: Sequence[Any]) -> str:
    """Return a cursor as it stands in an address."""
    return base64.urlsafe_b64encode(json.dumps(list(values), default=str).encode()).decode().rstrip("=")


def decoded(cursor: str, length: int) -> list[Any] | None:
    """Return what a cursor holds; None for what is none, which begins at the beginning."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        return None
    is_ours = isinstance(values, list) and len(values) == length and all(map(_can_be, values))
    return values if is_ours else None


def _can_be(value: Any) -> bool:
    """Return whether a database has columns for such a value."""
    if isinstance(value, str):
        return "\x00" not in value and value.isprintable()
    return isinstance(value, int) and abs(value) <= _INTEGER_MAX
