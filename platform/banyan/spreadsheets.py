"""Texts that somebody else has chosen, for files that people open in a spreadsheet: none of them is a formula there."""

from collections.abc import Iterable

_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet would compute, or would look behind."""


def as_text(text: str) -> str:
    """Return a text as a cell has it: behind a ' where it would be computed; numbers stay as they are."""
    return f"'{text}" if text.startswith(_BEGINNINGS) and not _is_number(text) else text


def are_texts(texts: Iterable[str]) -> bool:
    """Tell whether none of them begins as a formula does."""
    return not any(text.startswith(_BEGINNINGS) for text in texts)


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()
