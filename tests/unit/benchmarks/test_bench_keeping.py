"""What the benchmarks leave behind."""

import argparse
import importlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.keeping import BEGIN, END, keep
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table

main = importlib.import_module("tests.benchmarks.__main__")


def test_kept_tables_replace_the_ones_on_the_page_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, kept = tmp_path / "benchmarks.md", tmp_path / "benchmarks.json"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(main, "PAGE", page)
    monkeypatch.setattr(main, "KEPT", kept)
    asked = argparse.Namespace(json=tmp_path / "asked.json", keep=True)
    tables = [Table("W1", "a work", "s", [Row("banyan", [0.5])])]
    for _ in range(2):
        main._keep(asked, tmp_path, tables, {"cores": 2})
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.count("### W1: a work") == 1
    assert json.loads(kept.read_text()) == json.loads((tmp_path / "asked.json").read_text())
    assert json.loads(kept.read_text())["works"][0]["rows"][0]["median"] == 0.5


def test_works_are_asked_for_by_name_or_by_their_first_word() -> None:
    assert main._is_wanted("W4a sma_cross", {"W4a"})
    assert main._is_wanted("W1", set())
    assert not main._is_wanted("W1", {"W2"})


def table(name: str, seconds: float) -> Table:
    return Table(name, f"the work {name}", "s", [Row("banyan", [seconds])])


def test_a_work_that_is_measured_again_takes_its_place_and_the_others_keep_theirs(tmp_path: Path) -> None:
    numbers, page = tmp_path / "benchmarks.json", tmp_path / "benchmarks.md"
    page.write_text(f"# Benchmarks\n\n{BEGIN}\n{END}\n\nthe end\n")
    keep([table("W1", 0.001), table("W2", 0.002)], {"measured": "first"}, numbers, page)
    keep([table("W3", 0.003), table("W1", 0.004)], {"measured": "second"}, numbers, page)
    works = json.loads(numbers.read_text())["works"]
    assert [(each["name"], each["machine"]["measured"], each["rows"][0]["median"]) for each in works] == [
        ("W1", "second", 0.004), ("W2", "first", 0.002), ("W3", "second", 0.003),
    ]  # fmt: skip
    shown = page.read_text()
    assert shown.startswith("# Benchmarks\n")
    assert shown.endswith(f"{END}\n\nthe end\n")
    heads = [line for line in shown.splitlines() if line.startswith(("### ", "measured"))]
    assert heads == [
        "### W1: the work W1", "measured second", "### W2: the work W2", "measured first", "### W3: the work W3",
        "measured second",
    ]  # fmt: skip
    assert "4.00 ms" in shown
    assert "1.00 ms" not in shown


def test_keeping_the_same_twice_changes_nothing(tmp_path: Path) -> None:
    numbers, page = tmp_path / "benchmarks.json", tmp_path / "benchmarks.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    keep([table("W1", 0.001)], {"measured": "now"}, numbers, page)
    kept = numbers.read_text(), page.read_text()
    keep([table("W1", 0.001)], {"measured": "now"}, numbers, page)
    assert (numbers.read_text(), page.read_text()) == kept


def test_a_name_that_nothing_has_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main, "data_directory", lambda: tmp_path)
    monkeypatch.setattr("sys.argv", ["tests.benchmarks", "--only", "W99", "--no-peers"])
    assert main.main() == 2
    assert "called W99" in capsys.readouterr().err


def test_what_was_measured_before_a_failure_is_printed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*_: object) -> Iterator[Table]:
        yield Table("W1", "a work", "s", [Row("banyan", [0.5])])
        yield Table("W2", "it failed", "s", [Row("banyan", note="failed: no connection")])
        raise RuntimeError("the tree has ended")

    monkeypatch.setattr(main, "data_directory", lambda: tmp_path)
    monkeypatch.setattr(main, "_measured", measured)
    monkeypatch.setattr("sys.argv", ["tests.benchmarks", "--json", str(tmp_path / "numbers.json")])
    assert main.main() == 1
    told = capsys.readouterr()
    assert "500.00 ms" in told.out
    assert "failed: no connection" in told.out
    assert "the tree has ended" in told.err
    assert [each["name"] for each in json.loads((tmp_path / "numbers.json").read_text())["works"]] == ["W1"]
