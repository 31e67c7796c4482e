"""What a backtest gives back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from trading.bars import Bars
from trading.ledger import REASONS

if TYPE_CHECKING:
    import pandas as pd


T = TypeVar("T")


class _Deferred(Generic[T]):
    """A field that may be given as a function without arguments, which is called when it is first asked for."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> T:
        if instance is None:
            raise AttributeError(self._name)  # so that the dataclass sees a field without a default
        value = instance.__dict__[self._name]
        if callable(value):
            value = instance.__dict__[self._name] = value()
        return cast(T, value)

    def __set__(self, instance: Any, value: T | Callable[[], T]) -> None:
        instance.__dict__[self._name] = value


@dataclass(kw_only=True, repr=False)
class Result:
    """One backtest: its books, its curves, its metrics, and what was run.

    `equity` and `exposure` (gross notional over equity) are float64 arrays of length n, marked at the closes of the
    run's n bars; `time` (int64, ns UTC) holds those closes. `fill_records` and `trade_records` are structured arrays of
    `trading.ledger.FILL_DTYPE` and `TRADE_DTYPE`. `benchmark` is the value of the starting cash held in the benchmark,
    of length n, or None. `manifest` says what was run: strategy, code hash, data hash, parameters, options, engine
    version and environment. `time`, `exposure` and `manifest` may be given as functions that make them when asked for.
    """

    strategy: str
    params: dict[str, Any]
    channels: tuple[str, ...]
    bars: tuple[Bars, ...]
    equity: NDArray[np.float64]
    fill_records: NDArray[Any]
    trade_records: NDArray[Any]
    metrics: dict[str, Any]
    time: _Deferred[NDArray[np.int64]] = _Deferred()
    exposure: _Deferred[NDArray[np.float64]] = _Deferred()
    manifest: _Deferred[dict[str, Any]] = _Deferred()
    benchmark: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        """Return one line: a notebook that shows a result must not show its arrays."""
        params = " ".join(f"{name}={value}" for name, value in self.params.items())
        told = " ".join((self.strategy, *([params] if params else []), "on", *self.channels))
        return f"<Result {told}: {self.equity.size} bars, {self.n_fills} fills, final equity {self.final_equity:,.2f}>"

    @property
    def final_equity(self) -> float:
        """Equity at the last close, in account currency."""
        return float(self.equity[-1])

    @property
    def n_fills(self) -> int:
        """How many fills there were."""
        return int(self.fill_records.size)

    @cached_property
    def fills(self) -> "pd.DataFrame":
        """The fills, one row each, with times in UTC and channels and reasons by name."""
        return self._frame(self.fill_records, times=("time",), reason="reason")

    @cached_property
    def trades(self) -> "pd.DataFrame":
        """The round trips, one row each, with times in UTC and channels and reasons by name."""
        return self._frame(self.trade_records, times=("entry_time", "exit_time"), reason="exit_reason")

    def report(self, path: str | Path) -> Path:
        """Write the self-contained HTML report to `path` and return it."""
        from apps.backtest.report.html import write_report

        return write_report(self, Path(path))

    def picture(self, path: str | Path) -> Path:
        """Write the report's plots as one PNG to `path` and return it."""
        from apps.backtest.report.picture import write_picture

        return write_picture(self, Path(path))

    def _frame(self, records: NDArray[Any], times: tuple[str, ...], reason: str) -> "pd.DataFrame":
        import pandas as pd

        frame = pd.DataFrame({name: records[name] for name in records.dtype.names or ()})
        for name in times:
            frame[name] = pd.to_datetime(frame[name], unit="ns", utc=True)
        frame["channel"] = np.asarray(self.channels, dtype=object)[records["channel"]]
        frame[reason] = np.asarray(REASONS, dtype=object)[records[reason]]
        return frame
