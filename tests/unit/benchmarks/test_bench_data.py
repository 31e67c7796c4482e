"""The prices that are measured on."""

from pathlib import Path

import numpy as np

from tests.benchmarks import data


def test_minute_bars_are_the_same_every_time_and_consistent() -> None:
    bars, again = data.minute_bars(5_000), data.minute_bars(5_000)
    for name, column in bars.items():
        np.testing.assert_array_equal(column, again[name])
    assert np.all(bars["high"] >= np.maximum(bars["open"], bars["close"]))
    assert np.all(bars["low"] <= np.minimum(bars["open"], bars["close"]))
    assert np.all(bars["low"] > 0)
    assert set(np.diff(bars["time"])) == {data.MINUTE_NS}


def test_symbols_move_on_their_own() -> None:
    bars = data.daily_bars(3, 500)
    returns = [np.diff(np.log(columns["close"])) for columns in bars.values()]
    assert np.max(np.abs(np.corrcoef(returns) - np.eye(3))) < 0.2


def test_written_columns_are_read_back(tmp_path: Path) -> None:
    folder = data.write_days(tmp_path, 3, 40)
    for row, columns in enumerate(data.daily_bars(3, 40).values()):
        for name, column in columns.items():
            np.testing.assert_array_equal(data.read(folder)[name][row], column)


def test_csv_holds_the_same_numbers_to_the_last_bit(tmp_path: Path) -> None:
    lines = data.write_csv(tmp_path, 50).read_text().splitlines()
    bars = data.minute_bars(50)
    assert lines[0] == "time,open,high,low,close,volume"
    assert lines[1].startswith("2020-01-01T00:00:00Z,")
    assert [float(line.split(",")[4]) for line in lines[1:]] == bars["close"].tolist()
