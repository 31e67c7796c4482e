"""How many orders the paper broker takes in any second."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from banyan.columns import Ints

_SECOND_NS = 1_000_000_000


class Meter:
    """What has come in over each session and for each account within the last second; limits of 0 are none."""

    def __init__(self, per_session: int, per_account: int) -> None:
        self._per_session = per_session
        self._per_account = per_account
        self._taken: deque[tuple[int, int, Ints]] = deque()  # (when, session, account of each order, -1 of a cancel)

    def too_many(self, session: int, accounts: Ints, now_ns: int) -> NDArray[np.bool_]:
        """Return which orders of a session come too soon after others; the rest is counted."""
        over = np.zeros(accounts.size, bool)
        if not (self._per_session or self._per_account):
            return over
        self._forget(now_ns)
        if self._per_account:
            before = np.concatenate([accounts[:0], *(each for _, _, each in self._taken)])
            over |= _nth(np.concatenate([before, accounts]))[before.size :] >= self._per_account
        if self._per_session:
            used = sum(each.size for _, which, each in self._taken if which == session)
            over |= used + np.cumsum(~over) > self._per_session
        self._taken.append((now_ns, session, accounts[~over]))
        return over

    def count_cancels(self, session: int, count: int, now_ns: int) -> None:
        """Count cancels, which are always taken."""
        if self._per_session:
            self._taken.append((now_ns, session, np.full(count, -1, np.int64)))

    def _forget(self, now_ns: int) -> None:
        while self._taken and self._taken[0][0] <= now_ns - _SECOND_NS:
            self._taken.popleft()


def _nth(values: Ints) -> Ints:
    """Return of each value how many equal ones are before it."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.searchsorted(ordered, ordered)
    found: Ints = np.zeros(values.size, np.int64)
    found[order] = np.arange(values.size) - first
    return found
