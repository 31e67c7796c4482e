"""Columns of messages as everybody here reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from banyan.columns import Ints


def full(column: Ints, rows: int) -> Ints:
    """Return a column; one that is empty holds 0 in every row."""
    return column if column.size else np.zeros(rows, np.int64)


def names_of(message: Any) -> Sequence[str]:
    """Return the instruments that a message's column `instrument` counts through."""
    return [each.id for each in message.terms] if hasattr(message, "terms") else list(message.instruments)
