"""What the fault tests have survived, as it is kept."""

from datetime import UTC, datetime
from types import SimpleNamespace

from tests.soak.faults import BEGIN, END, Tried, counted, kept


def report(name: str, *, passed: bool = True, when: str = "call", **properties: int) -> SimpleNamespace:
    return SimpleNamespace(nodeid=name, passed=passed, when=when, user_properties=list(properties.items()))


def test_runs_of_a_test_are_counted_together_with_the_faults_that_they_injected():
    reports = [
        report("tests/fault/test_matrix.py::test_a_b[seed 1]"),
        report("tests/fault/test_matrix.py::test_a_b[seed 1]", when="teardown", faults=7),
        report("tests/fault/test_matrix.py::test_a_b[seed 2]", passed=False),
        report("tests/fault/test_matrix.py::test_a_b[seed 2]", when="teardown", faults=5),
        report("tests/fault/test_database.py::test_c"),
        report("tests/fault/test_database.py::test_c", when="setup"),
        report("tests/unit/test_d.py::test_d"),
    ]
    assert counted(reports) == {"a b": Tried(2, 1, 12), "c": Tried(1, 1, 1)}


def test_a_new_table_takes_the_place_of_the_old_one():
    page = f"before\n{BEGIN}\nstale\n{END}\nafter\n"
    once = kept(page, {"a": Tried(3, 3, 1200)}, datetime(2026, 3, 2, tzinfo=UTC))
    assert "2026-03-02: 3 runs, 3 of them survived; 1,200 faults injected." in once
    assert "| a | 3 | 3 | 1,200 |" in once
    assert "stale" not in once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert kept(once, {"a": Tried(3, 3, 1200)}, datetime(2026, 3, 2, tzinfo=UTC)) == once
