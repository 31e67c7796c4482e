"""What is asked of a run: typed, checked, stored and asked again."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from apps.backtest.cli_arguments import OPTION_HELP, data_of, options_given, request_of
from apps.backtest.options import OptionError, Options
from apps.backtest.request import DataRequest, DataRequestError, RunRequest, between, iso, parse_time, specified
from banyan.commands import UsageError
from trading.bars import Bars

GIVEN = {
    "instrument": [], "csv": [], "interval": "", "start": "", "end": "", "tz": "UTC", "columns": "", "adjust": "",
    "benchmark": "", "conversion": [], "spec": [],
}  # fmt: skip


def test_every_option_of_a_run_is_explained() -> None:
    assert set(OPTION_HELP) == set(Options.__dataclass_fields__)


def test_only_what_was_typed_becomes_an_option() -> None:
    assert options_given({"cash": 5000.0, "fee_bps": None, "fill": "close"}) == {"cash": 5000.0, "fill": "close"}


def test_option_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(OptionError, match="cash"):
        options_given({"cash": -1.0})


def test_request_survives_storage() -> None:
    asked = RunRequest(
        strategy="sma_cross", params={"fast": 5}, options={"cash": 1.0},
        data=DataRequest(instruments=("A:B", "A:C"), files=("/x", "/y"), start="2010", spec={"lot_step": "1"}),
    )  # fmt: skip
    assert RunRequest.from_json(asked.as_json()) == asked


def test_file_names_its_instrument_when_none_is_given(tmp_path: Path) -> None:
    path = tmp_path / "EURUSD.csv.gz"
    path.write_bytes(gzip.compress(b""))
    assert data_of({**GIVEN, "csv": [str(path)]}).instruments == ("EURUSD",)


def test_files_are_paired_with_instruments_by_name(tmp_path: Path) -> None:
    asked = data_of({**GIVEN, "csv": [f"X:A={tmp_path / 'a.csv'}", f"X:B={tmp_path / 'b.csv'}"]})
    assert dict(zip(asked.instruments, asked.files, strict=True)) == {
        "X:A": str(tmp_path / "a.csv"), "X:B": str(tmp_path / "b.csv"),
    }  # fmt: skip


def test_file_whose_own_name_has_an_equals_sign_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a=b.csv"
    path.touch()
    assert data_of({**GIVEN, "csv": [str(path)]}).files == (str(path),)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "--instrument"),
        ({"instrument": ["A:B"]}, "--interval"),
        ({"instrument": ["A:B", "A:B"], "interval": "1h"}, "twice"),
        ({"instrument": ["A:B", "A:C"], "csv": ["x.csv"]}, "1 files for 2"),
        ({"csv": ["x.csv"], "adjust": "all"}, "--adjust"),
    ],
)
def test_data_that_does_not_add_up_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        data_of({**GIVEN, **given})


def test_times_are_read_at_any_precision() -> None:
    assert parse_time("2015") == parse_time("2015-01-01T00:00Z") == 1_420_070_400_000_000_000
    assert parse_time("2015-03-01 12:30") == np.datetime64("2015-03-01T12:30", "ns").astype(np.int64)
    assert parse_time("") is None


@pytest.mark.parametrize("text", ["yesterday", "2015-13-01", "15-01-01", "2015-01-01T12:00+02:00", "2015-W02"])
def test_time_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(DataRequestError, match="2015-03-01"):
        parse_time(text)


def test_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(DataRequestError, match="not before"):
        DataRequest(instruments=("A",), start="2016", end="2015")


def test_midnight_is_written_without_the_clock() -> None:
    assert iso(parse_time("2015-03-01")) == "2015-03-01"
    assert iso(parse_time("2015-03-01T12:30")) == "2015-03-01 12:30"


def test_bars_are_cut_from_start_included_to_end_left_out() -> None:
    time = np.arange(10, dtype=np.int64)
    price = np.arange(10.0)
    part = between(Bars(time, price, price, price, price, interval=1), 3, 7)
    assert part.time.tolist() == [3, 4, 5, 6]
    assert part.close.tolist() == [3.0, 4.0, 5.0, 6.0]
    assert part.volume is None
    assert part.interval == 1


def test_facts_about_an_instrument_are_typed() -> None:
    assert specified({"lot_step": "0.5", "currency": "EUR", "day_turn_minutes": "60"}) == {
        "lot_step": 0.5, "currency": "EUR", "day_turn_minutes": 60,
    }  # fmt: skip


@pytest.mark.parametrize("spec", [{"lot_stp": "1"}, {"lot_step": "one"}])
def test_fact_that_an_instrument_does_not_have_is_refused(spec: dict[str, str]) -> None:
    with pytest.raises(DataRequestError, match="lot_step|number"):
        specified(spec)


def test_unknown_strategy_on_the_command_line_names_near_ones() -> None:
    with pytest.raises(LookupError, match="sma_cross"):
        request_of({**GIVEN, "strategy": "sma_cros", "csv": ["x.csv"]})


def test_benchmark_that_is_no_file_is_refused_for_runs_off_files(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,open,high,low,close\n2015-01-01,1,1,1,1\n2015-01-02,1,1,1,1\n")
    with pytest.raises(DataRequestError, match="--benchmark"):
        DataRequest(instruments=("X:A",), files=(str(path),), benchmark="X:B").load()


def test_rows_left_out_of_a_file_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("time,open,high,low,close\n2015-01-01,1,1,1,1\n2015-01-02,1,nan,1,1\n2015-01-03,1,1,1,1\n")
    loaded = DataRequest(instruments=("X:A",), files=(str(path),), spec={"lot_step": "1"}).load()
    assert len(loaded.bars["X:A"]) == 2
    assert any("nan" in note for note in loaded.notes)
    assert loaded.instruments["X:A"].lot_step == 1
