"""Prices that leave and come back, told while they come: the check of imports, for records that do not wait."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from apps.feeds.checks import MAX_JUMP_SIGMAS, SETTLES_IN, robust_sigma

_REMEMBERED = 512  # returns that sigma is taken of
_RENEWED_EVERY = 64  # prices let in: sigma is the same for all of them, however they are cut into batches

Mask = NDArray[np.bool_]


class JumpGuard:
    """Tells which prices of one instrument are off the last good one by more than `sigmas` robust sigmas.

    A file shows what came after; here a price that is off is held wrong at once, and a new level is let in with the
    third price in a row that is near it. What is told of a price depends only on those before it, not on how they were
    cut into batches.
    """

    def __init__(self, sigmas: float = MAX_JUMP_SIGMAS) -> None:
        self._sigmas = sigmas
        self._returns: deque[float] = deque(maxlen=_REMEMBERED)
        self._bound = 0.0
        self._level: float | None = None
        self._let_in = 0
        self._off: list[float] = []

    def check(self, prices: NDArray[np.float64]) -> Mask:
        """Return which of the next `prices`, all above 0, are wrong; at most the first few before sigma is known."""
        logs = np.log(prices)
        wrong = np.zeros(logs.size, np.bool_)
        at = 0
        while at < logs.size:
            stop = min(logs.size, at + _RENEWED_EVERY - self._let_in % _RENEWED_EVERY)
            before = self._level if self._level is not None else logs[at]
            returns = np.diff(logs[at:stop], prepend=before)
            if not self._bound or bool((np.abs(returns) <= self._bound).all()):
                self._take(logs[at:stop], returns)
                at = stop
            else:
                wrong[at] = self._is_off(float(logs[at]))
                at += 1
        return wrong

    def _take(self, logs: NDArray[np.float64], returns: NDArray[np.float64]) -> None:
        self._level = float(logs[-1])
        self._off.clear()
        self._returns.extend(returns.tolist())
        self._let_in += logs.size
        if self._let_in % _RENEWED_EVERY == 0:
            sigma = robust_sigma(np.array(self._returns))
            self._bound = self._sigmas * sigma if np.isfinite(self._sigmas) else 0.0

    def _is_off(self, price: float) -> bool:
        assert self._level is not None
        step = price - self._level
        if abs(step) > self._bound:
            is_near = bool(self._off) and abs(price - self._off[-1]) <= self._bound
            self._off = [*self._off, price] if is_near else [price]
            if len(self._off) < SETTLES_IN:
                return True
            step = 0.0  # the new level is a fact, and says nothing of what is usual
        self._take(np.array([price]), np.array([step]))
        return False
