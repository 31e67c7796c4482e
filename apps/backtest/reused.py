"""Arrays whose memory is used again: the pages of new ones cost as much as the work in them.

Each thread has its own, so that two runs never meet in one.
"""

from sys import getrefcount
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST = 1 << 26  # bytes; larger arrays are not kept
_GIVEN = 2  # kept of each name: who repeats a run still holds the last one's result meanwhile
_UNHELD = 3  # references to an array that only its list, a loop's variable and `getrefcount` hold

_own = local()


def scratch(name: str, size: int, dtype: Any = np.float64) -> NDArray[Any]:
    """Return an array of any content, which is the caller's until this thread asks for `name` again."""
    kept: NDArray[Any] | None = getattr(_own, name, None)
    if kept is None or not _fits(kept, size, dtype):
        kept = np.empty(size, dtype)
        setattr(_own, name, kept if kept.nbytes <= _LARGEST else None)
    return kept[:size]


def given_away(name: str, size: int, dtype: Any = np.float64) -> NDArray[Any]:
    """Return an array of any content, for good: one given away as `name` before, if nobody holds any of it any more."""
    given: list[NDArray[Any]] = _own.__dict__.setdefault(name, [])
    for kept in given:
        if getrefcount(kept) == _UNHELD and _fits(kept, size, dtype):
            return kept[:size]
    fresh = np.empty(size, dtype)
    if fresh.nbytes <= _LARGEST:
        given.append(fresh)
        del given[:-_GIVEN]
    return fresh[:size]


def _fits(kept: NDArray[Any], size: int, dtype: Any) -> bool:
    return size <= kept.size <= 2 * size and kept.dtype == dtype
