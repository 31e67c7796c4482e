"""Many channels side by side: read once, laid without copies where they lie so already, checked together."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from apps.backtest.bars_input import read_channels
from apps.backtest.interface import BarsError, Options, prepare
from apps.backtest.kernels.several import _lay_rows
from apps.backtest.tables import table_of
from trading.intervals import DAY, HOUR

Table = NDArray[np.float64]


def filled(channels: int, rows: int) -> Table:
    return np.arange(channels * rows, dtype=np.float64).reshape(channels, rows) + 1.0


def frozen(table: Table) -> list[Table]:
    table.flags.writeable = False
    return list(table)


def bars(rows: int = 4, **other: Any) -> dict[str, Any]:
    return {name: np.full(rows, 10.0) for name in ("open", "high", "low", "close")} | other


@pytest.mark.parametrize("part", [slice(None), slice(1, 4), slice(4, 5)], ids=["all rows", "some rows", "one row"])
def test_rows_of_one_array_are_laid_without_a_copy(part: slice) -> None:
    whole = filled(5, 7)
    table = table_of(list(whole[part]))
    assert np.shares_memory(table, whole)
    assert table.flags.c_contiguous
    assert table.tolist() == whole[part].tolist()


@pytest.mark.parametrize(
    "columns_of",
    [
        lambda table: [row.copy() for row in table],
        lambda table: list(table[::-1]),
        lambda table: list(table[::2]),
        lambda table: [table[0], table[0], table[1]],
        lambda table: [*table[:2], *table.copy()[2:]],
        lambda table: [row[:-1] for row in table],
        frozen,
    ],
    ids=["apart", "backwards", "with gaps", "twice", "of two arrays", "shorter than the rows", "read-only"],
)
def test_columns_that_lie_otherwise_are_copied(columns_of: Callable[[Table], list[Table]]) -> None:
    columns = columns_of(filled(5, 7))
    table = table_of(columns)
    assert not any(np.shares_memory(table, column) for column in columns)
    assert table.tolist() == [column.tolist() for column in columns]


@given(st.integers(1, 10), st.integers(1, 40), st.data())
def test_a_block_is_the_rows_that_were_asked_for(channels: int, rows: int, data: st.DataObject) -> None:
    column = filled(channels, rows)
    first = data.draw(st.integers(0, rows - 1))
    last = data.draw(st.integers(first + 1, rows))
    out = np.full((last - first, channels), np.nan)
    _lay_rows(column, first, last, out)
    assert out.tolist() == column[:, first:last].T.tolist()


def test_channels_with_equal_times_share_one_array() -> None:
    times = np.arange(4) * HOUR
    channels = read_channels({"A": bars(time=times), "B": bars(time=times.copy()), "C": bars(time=times)})
    assert {each.interval for each in channels.values()} == {HOUR}
    assert all(each.time is channels["A"].time for each in channels.values())


def test_channels_keep_their_own_times_and_intervals() -> None:
    hours = np.arange(4) * HOUR
    given = {"A": bars(time=hours), "B": bars(time=hours + 1), "C": bars(time=hours * 24), "D": bars()}
    channels = read_channels(given)
    assert [each.time[1] for each in channels.values()] == [HOUR, HOUR + 1, DAY, DAY]
    assert [each.interval for each in channels.values()] == [HOUR, HOUR, DAY, DAY]


def test_channels_may_name_their_columns_each_in_its_way() -> None:
    shouted = {name.upper(): column for name, column in bars(Date=np.arange(4) * DAY).items()}
    channels = read_channels({"A": bars(ts=np.arange(4) * HOUR), "B": shouted, "C": bars(volume=np.ones(4))})
    assert [each.interval for each in channels.values()] == [HOUR, DAY, DAY]
    assert [each.volume is None for each in channels.values()] == [True, True, False]


def test_a_time_too_few_is_told_by_its_label() -> None:
    with pytest.raises(BarsError, match="B: date has 3 rows, close has 4"):
        read_channels({"A": bars(date=np.arange(4)), "B": bars(date=np.arange(3))})


@pytest.mark.parametrize(
    ("channel", "column", "value", "said"),
    [
        ("A", "close", -1.0, "A, row 3: close is -1"),
        ("C", "high", 9.0, "C, row 3: open and close must lie between low and high"),
        ("B", "volume", -2.0, "B, row 3: volume is -2"),
    ],
)
def test_what_is_wrong_is_told_by_channel_and_row(channel: str, column: str, value: float, said: str) -> None:
    market = {name: bars(volume=np.full(4, np.nan)) for name in "ABC"}
    market[channel][column][3] = value
    with pytest.raises(BarsError, match=said):
        prepare(market, Options())
