"""What was summed up over everything, kept in this process until something is read that it may be of."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from apps.reporting.scoping import rows

T = TypeVar("T")
_KEPT_MAX = 64
_DAYS_TURN_SECONDS = 900
"""Wherever an account is, its day begins at a quarter of an hour."""


class Kept:
    """Answers to questions about rows that the logs of some sources have given.

    Pages ask again with every quote, and sums over ten thousand accounts change with fills. An answer is of what its
    sources had been read to when it was asked for, or later: whoever asks after more was read has it asked anew.
    """

    def __init__(self, *sources: str) -> None:
        self._sources = list(sources)
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, tuple[object, Any]] = OrderedDict()

    def get(self, asked: Hashable, ask: Callable[[], T]) -> T:
        """Return what `ask` returns, or returned when it was `asked` before and nothing had been read since."""
        upto = self._read_to()
        if not upto:
            return ask()
        with self._lock:
            known = self._found.get(asked)
        if known is not None and known[0] == upto:
            found: T = known[1]
            return found
        found = ask()
        with self._lock:
            self._found[asked] = upto, found
            self._found.move_to_end(asked)
            while len(self._found) > _KEPT_MAX:
                self._found.popitem(last=False)
        return found

    def _read_to(self) -> object:
        """Return what stands for how far its sources were read; nothing, where none ever was.

        The transaction that moved a mark tells a log that was put back, or read models that were built again.
        """
        marks = rows(
            "SELECT source, key, number, xmin::text FROM reporting_mark "
            "WHERE reader = 'reporting' AND source = ANY(%s) ORDER BY source, key",
            [self._sources],
        )
        return (tuple(marks), int(time.time() // _DAYS_TURN_SECONDS)) if marks else ()
