"""What the fault tests have survived, as it is kept."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace

from tests.soak import faults
from tests.soak.faults import BEGIN, END, Tried, counted, kept


def report(
    name: str, *, passed: bool = True, when: str = "call", keywords: Mapping[str, int] | None = None, **properties: int
) -> SimpleNamespace:
    return SimpleNamespace(
        nodeid=name, passed=passed, when=when, keywords=keywords or {}, user_properties=list(properties.items())
    )


def test_runs_of_a_test_are_counted_together_with_the_faults_that_they_injected():
    reports = [
        report("tests/fault/test_matrix.py::test_a_b[seed 1]"),
        report("tests/fault/test_matrix.py::test_a_b[seed 1]", when="teardown", faults=7),
        report("tests/fault/test_matrix.py::test_a_b[seed 2]", passed=False),
        report("tests/fault/test_matrix.py::test_a_b[seed 2]", when="teardown", faults=5),
        report("tests/fault/test_database.py::test_c"),
        report("tests/fault/test_database.py::test_c", when="setup"),
        report("tests/unit/test_d.py::test_d"),
        report("tests/integration/kafka/test_e.py::test_e[1]"),
        report("tests/integration/kafka/test_e.py::test_e[2]", keywords={"soak": 1}, faults=3),
        report("tests/integration/kafka/test_e.py::test_e[2]", when="teardown", faults=3),
    ]
    assert counted(reports) == {"a b": Tried(2, 1, 12), "c": Tried(1, 1, 1), "e": Tried(1, 1, 3)}


def test_what_is_tried_takes_the_place_of_what_stood_there_and_leaves_what_is_not(monkeypatch):
    monkeypatch.setattr(faults, "is_there", lambda name: name != "gone")
    page = f"before\n{BEGIN}\nstale\n| gone | 2026-03-01 | 9 | 9 | 9 |\n{END}\nafter\n"
    once = kept(page, {"a": Tried(3, 3, 1200), "b": Tried(1, 1, 1)}, datetime(2026, 3, 2, tzinfo=UTC))
    assert "4 runs, 4 of them survived; 1,201 faults injected." in once
    assert "| a | 2026-03-02 | 3 | 3 | 1,200 |" in once
    assert "stale" not in once
    assert "gone" not in once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    again = kept(once, {"b": Tried(2, 1, 5)}, datetime(2026, 3, 3, tzinfo=UTC))
    assert "| a | 2026-03-02 | 3 | 3 | 1,200 |\n| b | 2026-03-03 | 2 | 1 | 5 |" in again
    assert "5 runs, 4 of them survived; 1,205 faults injected." in again


def test_what_the_page_tells_of_is_there():
    names = [row["name"] for row in faults.ROW.finditer(faults.PAGE.read_text())]
    assert names
    assert all(map(faults.is_there, names))
    assert not faults.is_there("nothing ever goes wrong")
