"""The curve of a run: at once where a loop has written it, marked while this core goes on where fills say it all."""

from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from apps.backtest.beside import beside
from apps.backtest.kernels.books_after import mark_curve, mark_rows
from apps.backtest.kernels.market import Closes, Specs

_BESIDE = 0.78  # of the fills: this core has round trips and metrics to do meanwhile


class Curve(Protocol):
    """The equity at every close."""

    @property
    def whole(self) -> NDArray[np.float64]:
        """All of it, float64[T]."""

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the equity at the closes of `rows` (rising), float64[rows]."""


class Written:
    """A curve that a loop has written."""

    def __init__(self, equity: NDArray[np.float64]) -> None:
        self.whole = equity

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the equity at the closes of `rows`."""
        found: NDArray[np.float64] = self.whole[rows]
        return found


class Marked:
    """A curve that follows from one channel's fills: most of it is marked on another core until it is asked for."""

    def __init__(self, closes: Closes, specs: Specs, fills: Any, cash: float) -> None:
        self._closes, self._specs, self._fills, self._cash = closes, specs, fills, cash
        rows, self._first = closes.close.shape[1], int(fills.size * (1.0 - _BESIDE))
        self._cut = int(fills[self._first].bar) if fills.size else rows
        self._equity = np.empty(rows)
        before = fills[self._first - 1] if self._first else None
        holding = (cash, 0.0) if before is None else (float(before.cash), float(before.position))
        span = (self._cut, rows)
        self._wait = beside(
            rows - self._cut, mark_curve, closes, specs, fills[self._first :], holding, span, self._equity
        )

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the equity at the closes of `rows` (rising)."""
        values = np.empty(rows.size)
        mark_rows(self._closes, self._specs, self._fills, self._cash, rows, values)
        return values

    @cached_property
    def whole(self) -> NDArray[np.float64]:
        """All of it: what comes before the other core's part is marked here."""
        span, holding = (0, self._cut), (self._cash, 0.0)
        mark_curve(self._closes, self._specs, self._fills[: self._first], holding, span, self._equity)
        self._wait()
        return self._equity
