"""What the roles reporting and books compile, compiled where somebody waits for it: they themselves have no hurry."""

import numpy as np

from apps.reporting.accounting import Books
from apps.reporting.books.form import ORDERBOOK
from apps.reporting.books.lines import Chunk
from apps.reporting.books.portions import portions_of
from apps.reporting.books.register import Register
from apps.reporting.written import Lines


def warm() -> None:
    """Write a line, gather it, and book a trade, for nobody."""
    register, one = Register(), np.ones(1, np.int64)
    list(portions_of(register, [Chunk(ORDERBOOK, 1, 1, register.rows(one), Lines(1).whole(one).write())]))
    Books().book([(1, "", "")], np.zeros(1, np.int64), one, np.ones((3, 1), np.int64))
