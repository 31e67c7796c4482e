"""Snapshots of every version that was ever kept must be read for ever."""

from pathlib import Path

import pytest

from apps.execution.core import EXECUTION
from apps.execution.state import from_snapshot, to_snapshot
from apps.feeds.core import FEEDS
from apps.risk.core import RISK
from trading.intervals import HOUR, SECOND

GOLDEN = Path(__file__).parent / "snapshots"


def _read(version: int):
    return from_snapshot("0", version, (GOLDEN / f"execution.v{version}.msgpack").read_bytes())


@pytest.mark.parametrize("version", range(2, EXECUTION.snapshot_version + 1))
def test_a_snapshot_of_execution_of_any_version_is_read_and_is_one_of_today_then(version):
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


@pytest.mark.parametrize("version", range(1, RISK.snapshot_version + 1))
def test_a_snapshot_of_risk_of_any_version_is_read_and_is_one_of_today_then(version):
    state = RISK.from_snapshot("00", version, (GOLDEN / f"risk.v{version}.msgpack").read_bytes())
    written = RISK.to_snapshot(state)
    assert RISK.to_snapshot(RISK.from_snapshot("00", RISK.snapshot_version, written)) == written
    cells, names = state.cells.rows, state.instrument_names.names
    numbers = state.accounts.rows["number"]
    held = {(int(numbers[cell.account]), names[cell.instrument]): int(cell.position) for cell in cells}
    assert held == {(1, "EURUSD"): 6, (2, "EURUSD"): 2, (2, "GOLD"): 0}
    assert sorted((int(order.decision), int(order.left)) for order in state.open_orders()) == [(1, 4), (2, -3)]


@pytest.mark.parametrize("version", range(1, FEEDS.snapshot_version + 1))
def test_a_snapshot_of_a_feed_of_any_version_is_read_and_is_one_of_today_then(version):
    state = FEEDS.from_snapshot("oanda", version, (GOLDEN / f"feeds.v{version}.json").read_bytes())
    written = FEEDS.to_snapshot(state)
    assert FEEDS.to_snapshot(FEEDS.from_snapshot("oanda", FEEDS.snapshot_version, written)) == written
    eur, gold = ("OANDA:EURUSD", HOUR), ("OANDA:GOLD", HOUR)
    assert state.closed_at_ns == {eur: 1_709_906_400 * SECOND, gold: 1_709_902_800 * SECOND}
    assert [each.id for each in state.instruments.values()] == (["OANDA:EURUSD", "OANDA:GOLD"] if version > 1 else [])
    assert (state.is_stale, state.listeners) == (version > 1, {"carry", "trend"} if version > 2 else frozenset())


@pytest.mark.parametrize("context", [EXECUTION, FEEDS, RISK], ids=lambda context: context.name)
def test_a_snapshot_is_written_as_its_version_says(context):
    """Whoever adds to a state gives its snapshots a version, keeps one of it here, and says how older ones are read."""
    (path,) = GOLDEN.glob(f"{context.name}.v{context.snapshot_version}.*")
    kept = path.read_bytes()
    assert context.to_snapshot(context.from_snapshot("00", context.snapshot_version, kept)) == kept
