"""The commands of market data, as they are typed."""

import gzip
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from apps.feeds.interface import data_hash, read_bars, read_bars_file
from apps.feeds.models import Bar, Factor, Import, QuarantinedRecord, QuoteBar, Series, Tick
from apps.feeds.reading import find_rows
from apps.feeds.sample_data import SAMPLE
from tests.integration.feeds.conftest import bar_lines

pytestmark = pytest.mark.django_db(databases=["feeds"], transaction=True)


def command(*arguments: object) -> str:
    out = StringIO()
    call_command(*[str(argument) for argument in arguments], stdout=out)
    return out.getvalue()


@pytest.fixture
def eurusd() -> None:
    command("import_bars", SAMPLE / "eurusd_1h_quotes.csv.gz", "--instrument", "OANDA:EURUSD", "--interval", "1h")


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
def test_what_is_exported_is_imported_to_the_same_bits(eurusd, tmp_path: Path, name: str) -> None:
    before = data_hash(read_bars("OANDA:EURUSD", "1h"))
    path = tmp_path / name
    assert "74,439 rows" in command("export_bars", path, "--instrument", "OANDA:EURUSD", "--interval", "1h")
    assert data_hash(read_bars_file(path)[0]) == before
    Series.objects.all().delete()
    QuoteBar.objects.all().delete()
    command("import_bars", path, "--instrument", "OANDA:EURUSD", "--interval", "1h")
    assert data_hash(read_bars("OANDA:EURUSD", "1h")) == before
    assert path.read_bytes()[:2] == {"out.csv": b"ts", "out.csv.gz": b"\x1f\x8b", "out.parquet": b"PA"}[name]


def test_ticks_go_in_out_and_in_again(tmp_path: Path) -> None:
    ticks = SAMPLE / "eurusd_ticks_2014-05-02.csv.gz"
    command("import_ticks", ticks, "--instrument", "OANDA:EURUSD")
    _, first = find_rows("OANDA:EURUSD", "tick", None, None)
    command("export_bars", tmp_path / "ticks.csv", "--instrument", "OANDA:EURUSD", "--interval", "tick")
    again = command("import_ticks", tmp_path / "ticks.csv", "--instrument", "OANDA:EURUSD")
    assert "0 added, 49,341 there already" in again
    Tick.objects.all().delete()
    Series.objects.all().delete()
    command("import_ticks", tmp_path / "ticks.csv", "--instrument", "OANDA:EURUSD")
    _, second = find_rows("OANDA:EURUSD", "tick", None, None)
    assert np.array_equal(first.time, second.time)
    assert np.array_equal(first.values, second.values, equal_nan=True)
    assert int(second.sequence.max()) > 0


def test_an_export_of_a_part_holds_that_part(eurusd, tmp_path: Path) -> None:
    bounds = ("--from", "2010-01-01", "--to", "2010-02-01")
    command("export_bars", tmp_path / "p.csv", "--instrument", "OANDA:EURUSD", "--interval", "1h", *bounds)
    text = (tmp_path / "p.csv").read_text().splitlines()
    assert text[0] == "ts,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close"
    assert text[1].startswith("2010-01-03 22:00:00Z,")
    assert text[-1].startswith("2010-01-31 23:00:00Z,")


def test_an_export_of_an_unknown_form_is_refused_and_leaves_nothing(eurusd, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"must end in \.csv"):
        command("export_bars", tmp_path / "out.xlsx", "--instrument", "OANDA:EURUSD", "--interval", "1h")
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == []


def test_the_sample_is_loaded_once() -> None:
    first = command("load_sample_data")
    assert "eurusd_1h_quotes.csv.gz: 74,439 rows read into OANDA:EURUSD 1h quotes: 74,439 added." in first
    assert "3 in quarantine: 3 jump" in first
    before = [list(model.objects.values_list()) for model in (Series, Import, QuarantinedRecord, Factor)]
    assert command("load_sample_data").strip() == "10 sample files were imported before."
    assert [list(model.objects.values_list()) for model in (Series, Import, QuarantinedRecord, Factor)] == before
    reasons = QuarantinedRecord.objects.exclude(reason="gap").values_list("source__path", "line", "reason")
    assert [(Path(path).name, line, reason) for path, line, reason in reasons] == [
        ("aapl_1d.csv.gz", line, "jump") for line in (2949, 3187, 3273)
    ]
    adjusted = read_bars("NASDAQ:AAPL", "1d")
    assert adjusted.close[0] == pytest.approx(16.25 * 0.00892857 * 0.8613657)
    assert read_bars("NASDAQ:AAPL", "1d", adjust="none").close[0] == 16.25


def test_list_data_tells_what_is_there(instrument, write_bars) -> None:
    assert "Nothing is stored" in command("list_data")
    lines = bar_lines(100)
    lines[7] = "rubbish"
    command("import_bars", write_bars(lines), "--instrument", "test:walk", "--interval", "1m")
    (series,) = json.loads(command("list_data", "--json"))
    assert series.pop("last_import") is not None
    assert series == {
        "instrument": "TEST:WALK",
        "interval": "1m",
        "kind": "bars",
        "rows": 99,
        "first": "2020-12-31T20:00:00Z",
        "last": "2020-12-31T21:39:00Z",
        "quarantined": 1,
        "gaps": 1,
    }
    table = command("list_data").splitlines()
    assert table[0].split() == [
        "instrument",
        "interval",
        "kind",
        "rows",
        "first",
        "last",
        "quarantined",
        "last",
        "import",
    ]
    assert table[1].split()[:4] == ["TEST:WALK", "1m", "bars", "99"]


def test_quarantine_shows_file_line_reason_and_text(instrument, write_bars) -> None:
    assert "Nothing is in quarantine" in command("quarantine")
    lines = bar_lines(100)
    lines[7], lines[9] = "rubbish", lines[8]
    path = write_bars(lines)
    said = command("import_bars", path, "--instrument", "TEST:WALK", "--interval", "1m")
    assert "2 in quarantine: 1 unreadable, 1 duplicate-time" in said
    assert [line.split()[:2] for line in command("quarantine", "list").splitlines()] == [
        ["1", "duplicate-time"],
        ["2", "gap"],
        ["1", "unreadable"],
    ]
    shown = command("quarantine", "show", "--reason", "unreadable")
    assert shown.splitlines() == [f"{path}:9: unreadable: 1 columns where 6 are expected", "    rubbish"]
    (record,) = json.loads(command("quarantine", "show", "--reason", "duplicate-time", "--json"))
    assert (record["line"], record["text"], record["series"]) == (11, lines[8], "TEST:WALK 1m bars")
    assert "and 3 more" in command("quarantine", "show", "--limit", "1")


def test_strict_fails_when_a_row_is_quarantined_but_imports_the_rest(instrument, write_bars) -> None:
    lines = bar_lines(50)
    lines[7] = "rubbish"
    with pytest.raises(CommandError, match="quarantine show") as refused:
        command("import_bars", write_bars(lines), "--instrument", "TEST:WALK", "--interval", "1m", "--strict")
    assert refused.value.returncode == 3
    assert Bar.objects.count() == 49


def test_import_says_what_it_did_as_json(instrument, write_bars) -> None:
    arguments = (write_bars(bar_lines(50)), "--instrument", "TEST:WALK", "--interval", "1m", "--json")
    (first,) = json.loads(command("import_bars", *arguments))
    (again,) = json.loads(command("import_bars", *arguments))
    assert (first["rows_added"], first["imported_before"]) == (50, False)
    assert (again["rows_added"], again["rows_present"], again["imported_before"]) == (0, 50, True)


def test_several_files_are_imported_in_one_command(instrument, write_bars) -> None:
    lines = bar_lines(300)
    files = [write_bars(lines[start : start + 100], f"{start}.csv") for start in (0, 100, 200)]
    command("import_bars", *files, "--instrument", "TEST:WALK", "--interval", "1m")
    assert Bar.objects.count() == 300


def test_files_without_a_header_in_a_zone_are_imported(instrument, tmp_path: Path) -> None:
    path = tmp_path / "raw.csv.gz"
    path.write_bytes(gzip.compress(b"2021-07-01 09:30,1,2,1,2,x\n2021-07-01 09:31,1,2,1,2,x\n"))
    columns = ("--columns", "ts,open,high,low,close,-", "--tz", "America/New_York")
    command("import_bars", path, "--instrument", "TEST:WALK", "--interval", "1m", *columns)
    assert [bar.time.hour for bar in Bar.objects.order_by("time")] == [13, 13]


def test_bars_are_resampled_and_made_again_when_there_are_more(instrument, write_bars) -> None:
    lines = bar_lines(500)
    command("import_bars", write_bars(lines[:450]), "--instrument", "TEST:WALK", "--interval", "1m")
    said = command("resample", "TEST:WALK", "--from", "1m", "--to", "1h")
    assert "resampled from 1m: 8 rows read into TEST:WALK 1h bars: 8 added." in said
    command("import_bars", write_bars(lines, "all.csv"), "--instrument", "TEST:WALK", "--interval", "1m")
    again = json.loads(command("resample", "TEST:WALK", "--from", "1m", "--to", "1h", "--json"))
    assert (again["rows_added"], again["rows_replaced"], again["rows_present"]) == (1, 1, 7)
    hours, minutes = read_bars("TEST:WALK", "1h"), read_bars("TEST:WALK", "1m")
    assert hours.volume is not None
    assert minutes.volume is not None
    assert hours.volume.sum() == minutes.volume.sum()


def test_resampled_bars_do_not_overwrite_those_of_a_file() -> None:
    command("load_sample_data")
    before = data_hash(read_bars("NYSEARCA:SPY", "1d", adjust="none"))
    said = command("resample", "NYSEARCA:SPY", "--from", "1m", "--to", "1d")
    assert "4 there already" in said
    assert "1 conflict" in said
    assert data_hash(read_bars("NYSEARCA:SPY", "1d", adjust="none")) == before


def test_factors_are_stored_once(tmp_path: Path) -> None:
    file = SAMPLE / "spy_factors.csv.gz"
    assert command("import_factors", file, "--instrument", "NYSEARCA:SPY").strip() == "NYSEARCA:SPY: 96 factors."
    assert "as they were" in command("import_factors", file, "--instrument", "NYSEARCA:SPY")
    assert Factor.objects.count() == 96


def test_instruments_are_added_and_changed() -> None:
    said = command("add_instrument", "oanda:gbpusd", "--like", "OANDA:EURUSD", "--margin-rate", "0.05")
    assert said.strip() == "OANDA:GBPUSD is added."
    from apps.feeds.interface import get_instrument

    pound = get_instrument("OANDA:GBPUSD")
    assert (pound.tick_size, pound.margin_rate, pound.day_turn_minutes) == (0.00001, 0.05, -420)
    assert "is changed" in command("add_instrument", "OANDA:GBPUSD", "--tick-size", "0.0001")
    assert get_instrument("OANDA:GBPUSD").margin_rate == 0.05
    for wrong, words in (
        (("GBPUSD",), "not VENUE:SYMBOL"),
        (("A:B", "--tick-size", "-1"), "cannot be negative"),
        (("A:B", "--time-zone", "Mars"), "not a time zone"),
        (("A:B", "--calendar", "MARS"), "no session calendar"),
        (("A:B", "--asset-class", "fish"), "not a valid choice"),
    ):
        with pytest.raises(CommandError, match=words):
            command("add_instrument", *wrong)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("import_bars", "nowhere.csv", "--instrument", "OANDA:EURUSD", "--interval", "1h"),
            "nowhere.csv: No such file",
        ),
        (("import_bars", "x.csv", "--instrument", "NO:SUCH", "--interval", "1h"), "add_instrument NO:SUCH"),
        (("import_bars", "x.csv", "--instrument", "OANDA:EURUSD", "--interval", "1y"), "is not an interval"),
        (("import_bars", SAMPLE / "README.md", "--instrument", "OANDA:EURUSD", "--interval", "1h"), "--columns"),
        (("resample", "OANDA:EURUSD", "--from", "1h", "--to", "1d"), "load_sample_data"),
        (("import_factors", SAMPLE / "README.md", "--instrument", "NYSEARCA:SPY"), "README.md:1"),
    ],
)
def test_mistakes_end_in_one_line_that_says_what_to_do(arguments: tuple, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        command(*arguments)
