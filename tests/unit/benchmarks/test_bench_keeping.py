"""What the benchmarks leave behind."""

import argparse
import importlib
import json
from pathlib import Path

import pytest

from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table

main = importlib.import_module("tests.benchmarks.__main__")


def test_kept_tables_replace_the_ones_on_the_page_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, kept = tmp_path / "benchmarks.md", tmp_path / "benchmarks.json"
    page.write_text(f"before\n{main.BEGIN}\nold\n{main.END}\nafter\n")
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
