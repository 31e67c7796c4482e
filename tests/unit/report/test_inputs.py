import numpy as np
import pandas as pd
import pytest

from apps.backtest.report.inputs import Bands, ReportInputError, SweepOutcome, WalkForwardOutcome
from apps.backtest.report.sweep import ranked, sweep_payload
from tests.unit.report.example_runs import example_sweep


def test_sweep_without_its_rank_column_is_refused_by_name():
    with pytest.raises(ReportInputError, match="no column 'sharpe'; its columns are fast"):
        SweepOutcome(strategy="x", parameters=("fast",), table={"fast": [1]}, rank="sharpe")


def test_sweep_with_uneven_columns_is_refused():
    with pytest.raises(ReportInputError, match=r"\[1, 2\]"):
        SweepOutcome(strategy="x", parameters=("fast",), table={"fast": [1, 2], "sharpe": [1.0]}, rank="sharpe")


def test_bands_of_the_wrong_shape_are_refused():
    with pytest.raises(ReportInputError, match="2 quantiles"):
        Bands(quantiles=(0.1, 0.9), values=np.zeros((3, 5)), at=np.arange(5))
    with pytest.raises(ReportInputError, match="4 steps"):
        Bands(quantiles=(0.5,), values=np.zeros((1, 5)), at=np.arange(5), actual=np.zeros(4))


def test_walk_forward_needs_windows():
    with pytest.raises(ReportInputError, match="at least one window"):
        WalkForwardOutcome(strategy="x", windows=(), rank="sharpe", time=np.zeros(1, np.int64), equity=np.zeros(1))


def test_data_frame_and_mapping_give_the_same_rows():
    sweep = example_sweep()
    framed = SweepOutcome(
        strategy="sma_cross", parameters=sweep.parameters, table=pd.DataFrame(sweep.table), rank=sweep.rank
    )
    assert sweep_payload(framed) == sweep_payload(sweep)


def test_rows_without_a_rank_are_left_out_and_the_best_comes_first():
    sweep = example_sweep()
    order = ranked(sweep)
    sharpe = sweep.column("sharpe")
    assert order.size == sharpe.size - 1
    assert sharpe[order[0]] == np.nanmax(sharpe)


def test_lowest_value_comes_first_where_lower_is_better():
    sweep = SweepOutcome(
        strategy="x", parameters=("a",), table={"a": [1, 2], "max_drawdown_pct": [9.0, 3.0]}, rank="max_drawdown_pct",
        higher_is_better=False,
    )  # fmt: skip
    assert ranked(sweep).tolist() == [1, 0]
