"""Snapshots of every version that was ever kept must be read for ever."""

from pathlib import Path

import pytest

from apps.execution.core import EXECUTION
from apps.execution.state import from_snapshot, to_snapshot

GOLDEN = Path(__file__).parent / "snapshots"


def _read(version: int):
    return from_snapshot("0", version, (GOLDEN / f"execution.v{version}.msgpack").read_bytes())


@pytest.mark.parametrize("version", range(2, EXECUTION.snapshot_version))
def test_an_older_snapshot_of_execution_is_read_and_is_one_of_today_then(version):
    state = _read(version)
    written = to_snapshot(state)
    assert to_snapshot(from_snapshot("0", EXECUTION.snapshot_version, written)) == written
    numbers, books, names = state.accounts.rows["number"], state.books.names, state.instruments.names
    held = {
        (int(numbers[line.account]), books[line.book], names[line.instrument]): (int(line.held), int(line.working))
        for line in state.lines.rows
    }
    assert held[1, "trend", "SIM:EURUSD"] == (10, 20)
    assert held[2, "carry", "SIM:EURUSD"] == (-4, -4)
    assert held[1, "trend", "SIM:GOLD"] == (3, 3)
    assert len(state.apart.entries) == 2


def test_books_of_before_closed_trades_were_counted_begin_with_what_they_have_paid():
    lines = _read(2).lines.rows
    first = {}
    for at, line in enumerate(lines):
        assert line.returns == first.setdefault((int(line.account), int(line.book)), at)
        assert line.closes == 0
        if line.held:
            assert line.entry_price == pytest.approx({0: 1.12342, 1: 1200.5}[int(line.instrument)], rel=2e-4)
