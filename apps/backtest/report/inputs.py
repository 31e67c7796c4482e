"""What the reports of sweeps, walk-forwards and Monte Carlo runs are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.result import Result

if TYPE_CHECKING:
    import pandas as pd


class ReportInputError(ValueError):
    """What was given cannot be drawn: a column is missing, or lengths differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOutcome:
    """All combinations of a sweep: `table` has one row each, a column per name of `parameters` and per metric.

    `table` is a DataFrame or a mapping of columns of one length. `rank` is the metric's column that orders the rows,
    the highest first, or the lowest where `higher_is_better` is False. `best` is the full result of the first row, if
    it was kept. `manifest` says what was run. Raises ReportInputError when a named column is missing.
    """

    strategy: str
    parameters: tuple[str, ...]
    table: "pd.DataFrame | Mapping[str, Sequence[Any] | NDArray[Any]]"
    rank: str
    best: Result | None = None
    higher_is_better: bool = True
    manifest: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        columns = self.columns
        for name in (*self.parameters, self.rank):
            if name not in columns:
                raise ReportInputError(
                    f"the sweep's table has no column {name!r}; its columns are {', '.join(columns)}"
                )
        lengths = {len(self.table[name]) for name in columns}
        if len(lengths) > 1:
            raise ReportInputError(f"the columns of the sweep's table differ in length: {sorted(lengths)}")

    @property
    def columns(self) -> list[str]:
        """The names of all columns, in order."""
        return [str(name) for name in self.table]

    def column(self, name: str) -> NDArray[Any]:
        """One column as an array."""
        return np.asarray(self.table[name])


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForwardWindow:
    """One window: spans as (first, last) times in ns UTC, what was chosen in training and how it did in both."""

    train: tuple[int, int]
    test: tuple[int, int]
    params: Mapping[str, Any]
    train_score: float
    test_score: float
    test_metrics: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bands:
    """Quantiles of many paths by step: `values` (float64, quantiles × steps) at `quantiles`, each in 0 … 1, rising.

    `at` (int64, rising) is how many steps each value is from the start. `actual` is the path that happened, of the same
    length, or None. `steps` names what is counted along the axis.
    Raises ReportInputError when the shapes do not fit.
    """

    quantiles: tuple[float, ...]
    values: NDArray[np.float64]
    at: NDArray[np.int64]
    actual: NDArray[np.float64] | None = None
    steps: str = "trades"
    label: str = "Equity"

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[0] != len(self.quantiles):
            raise ReportInputError(
                f"bands need one row of values for each of {len(self.quantiles)} quantiles; got {self.values.shape}"
            )
        if self.at.shape != self.values.shape[1:]:
            raise ReportInputError(f"bands have values at {self.values.shape[1]} steps, and {self.at.size} steps")
        if self.actual is not None and self.actual.size != self.values.shape[1]:
            raise ReportInputError(f"the actual path has {self.actual.size} steps, the bands {self.values.shape[1]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForwardOutcome:
    """A walk-forward: its windows, oldest first, and the stitched out-of-sample curve.

    `time` (int64, ns UTC, closes) and `equity` (float64) are the curve; `result` is the out-of-sample run as one
    Result where there is one, and then its trades, prices and metrics are shown too. `rank` names the score of the
    windows. `bands`, where given, are quantiles of the out-of-sample curve under resampling.
    """

    strategy: str
    windows: Sequence[WalkForwardWindow]
    rank: str
    time: NDArray[np.int64]
    equity: NDArray[np.float64]
    result: Result | None = None
    bands: Bands | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.windows:
            raise ReportInputError("a walk-forward report needs at least one window")
        if self.time.size != self.equity.size:
            raise ReportInputError(f"the curve has {self.time.size} times and {self.equity.size} values")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonteCarloOutcome:
    """A Monte Carlo run: bands of the equity paths, and of each path its final equity and deepest drawdown.

    `max_drawdown_pct` is in percent and may have either sign; both arrays are float64, one value for each path.
    """

    strategy: str
    method: str
    bands: Bands
    final_equity: NDArray[np.float64]
    max_drawdown_pct: NDArray[np.float64]
    start_equity: float
    seed: int | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
