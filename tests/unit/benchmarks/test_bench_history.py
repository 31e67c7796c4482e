"""The long history: made once, kept while what decides about it stays, and copied."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import history
from tests.benchmarks.history import SMALL, Size, account_of, kept


class Maker:
    """Makes histories that are a file, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, size: Size, folder: Path) -> None:
        folder.mkdir()
        self.made += 1
        (folder / "log").write_text("traded")
        (folder / "made.json").write_text(json.dumps({"orders": size.orders, "seconds": 1.0}))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of which everything that decides is one schema."""
    (tmp_path / "docs" / "schemas").mkdir(parents=True)
    (tmp_path / "docs" / "schemas" / "one.json").write_text("{}")
    monkeypatch.setattr(history, "ROOT", tmp_path)
    monkeypatch.setattr(history, "data_directory", lambda: tmp_path / "var")
    return tmp_path


@pytest.fixture
def maker(sources: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    made = Maker()
    monkeypatch.setattr(history, "_make", made)
    return made


def test_a_history_is_made_once_and_anew_when_what_decides_about_it_has_changed(sources: Path, maker: Maker) -> None:
    first = kept(SMALL)
    assert kept(SMALL) == first
    assert (maker.made, first.orders) == (1, SMALL.orders)
    (sources / "docs" / "schemas" / "one.json").write_text('{"more": 1}')
    second = kept(SMALL)
    assert maker.made == 2
    assert not first.folder.exists()
    kept(Size(1, 1, 1))
    assert second.folder.exists(), "one of another size is another"


def test_one_that_could_not_be_made_is_not_taken_for_one(
    sources: Path, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Size, folder: Path) -> None:
        folder.mkdir()
        raise RuntimeError("the tree has ended")

    with monkeypatch.context() as patch:
        patch.setattr(history, "_make", fails)
        with pytest.raises(RuntimeError, match="the tree has ended"):
            kept(SMALL)
    kept(SMALL)
    assert maker.made == 1


def test_accounts_are_named_as_they_are_opened() -> None:
    assert account_of(history.FULL, 7) == "ACME-007"
    assert account_of(history.FULL, 7, "B") == "B-0007"
    assert account_of(SMALL, 7, "B") == "B-07"
