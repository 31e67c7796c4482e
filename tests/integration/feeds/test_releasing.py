"""What was put into quarantine, let in and given up: once, checked, and for good."""

import numpy as np
import pytest

from apps.feeds import interface as feeds
from apps.feeds.imports import Options, import_file
from apps.feeds.interface import read_bars
from apps.feeds.models import QuarantinedRecord, Series, Tick
from apps.feeds.records import Kind
from apps.feeds.releasing import QuarantineError
from apps.feeds.series import find_instrument
from tests.integration.feeds.conftest import bar_lines

pytestmark = pytest.mark.django_db(databases=["feeds"])
BY = {"by": "somebody", "why": "looked at it"}


def record(line: int) -> int:
    return QuarantinedRecord.objects.exclude(reason="gap").get(line=line).pk


@pytest.fixture
def lines() -> list[str]:
    return bar_lines(300)


@pytest.fixture
def imported(instrument, write_bars, load, lines) -> None:
    """Bars of which line 52 jumps, line 102 holds no bar, and line 152 is not a number."""
    time, *_, volume = lines[50].split(",")
    lines[50] = f"{time},900.0,901.0,899.0,900.0,{volume}"
    lines[100] = "rubbish"
    lines[150] = lines[150].replace(lines[150].split(",")[2], "nan")
    load(write_bars(lines))


def test_a_record_is_let_in_as_it_was_read_by_who_says_that_it_is_true(imported) -> None:
    before = Series.objects.get()
    plan = feeds.quarantine_plan(record(52))
    assert (plan.values["close"], plan.replaces, plan.is_corrected) == (900.0, None, False)
    assert len(read_bars("TEST:WALK", "1m")) == 297
    feeds.quarantine_release(record(52), "", {}, **BY)
    bars, after = read_bars("TEST:WALK", "1m"), Series.objects.get()
    assert (len(bars), bars.close[50], bars.open[50]) == (298, 900.0, 900.0)
    assert (after.version, after.rows) == (before.version + 1, 298)
    told = feeds.quarantined_row(record(52))
    assert (told.state, told.decided_by, told.decided_why) == ("released", "somebody", "looked at it")
    assert told.released["close"] == 900.0


def test_what_was_typed_is_checked_like_a_record_and_against_the_rows_around_it(imported, lines) -> None:
    time, *prices, volume = lines[99].split(",")
    typed = dict(zip(("open", "high", "low", "close", "volume"), (*prices, volume), strict=True))
    moment = time.replace(time[14:16], f"{int(time[14:16]) + 1:02d}")
    bad = {
        "no number": {"close": "much"}, "high-low": {"high": "1"}, "not-positive": {"low": "-1"}, "nan": {"open": ""},
        "jump": dict.fromkeys(("open", "high", "low", "close"), "9000"), "no such column": {"bid": "1"},
        "negative-volume": {"volume": "-5"},
    }  # fmt: skip
    for words, change in bad.items():
        with pytest.raises(QuarantineError, match=words):
            feeds.quarantine_release(record(102), moment, typed | change, **BY)
    with pytest.raises(QuarantineError, match="what it holds could not be read"):
        feeds.quarantine_release(record(102), moment, {}, **BY)
    for time in ("", "yesterday", "0001-01-01"):
        with pytest.raises(QuarantineError, match="time"):
            feeds.quarantine_release(record(102), time, typed, **BY)
    assert len(read_bars("TEST:WALK", "1m")) == 297
    plan = feeds.quarantine_release(record(102), moment, typed, **BY)
    assert plan.is_corrected
    bars = read_bars("TEST:WALK", "1m")
    assert (len(bars), bars.close[99]) == (298, float(prices[3]))
    with pytest.raises(QuarantineError, match="released already, by somebody"):
        feeds.quarantine_release(record(102), moment, typed, **BY)
    with pytest.raises(QuarantineError, match="released already"):
        feeds.quarantine_discard(record(102), **BY)


def test_one_column_is_corrected_and_the_others_stay_as_they_were_read(imported, lines) -> None:
    high = lines[150].split(",")[1]
    with pytest.raises(QuarantineError, match="nan"):
        feeds.quarantine_plan(record(152))
    plan = feeds.quarantine_plan(record(152), "", {"high": high})
    assert (plan.values["high"], plan.values["close"]) == (float(high), float(lines[150].split(",")[4]))


def test_a_conflict_that_is_let_in_takes_the_place_of_what_is_stored(instrument, write_bars, load, lines) -> None:
    load(write_bars(lines))
    time, *rest = lines[40].split(",")
    changed = [*lines[:40], ",".join([time, *lines[41].split(",")[1:]]), *lines[41:]]
    path = write_bars(changed, "changed.csv")
    load(path)
    plan = feeds.quarantine_release(record(42), "", {}, **BY)
    assert plan.replaces["close"] == float(rest[3])
    bars = read_bars("TEST:WALK", "1m")
    assert (len(bars), bars.close[40], Series.objects.get().rows) == (300, float(lines[41].split(",")[4]), 300)
    assert load(path).reasons == {}
    with pytest.raises(QuarantineError, match="there is no record"):
        feeds.quarantine_plan(10**9)


def test_what_is_stored_already_is_not_let_in_again(instrument, write_bars, load, lines) -> None:
    load(write_bars([*lines[:60], lines[59], *lines[60:]]))
    with pytest.raises(QuarantineError, match="stored at that time already"):
        feeds.quarantine_plan(record(62))


def test_a_gap_is_discarded_and_never_let_in(instrument, write_bars, load, lines) -> None:
    del lines[100:103]
    load(write_bars(lines))
    gap = QuarantinedRecord.objects.get(reason="gap").pk
    with pytest.raises(QuarantineError, match="a gap is a note"):
        feeds.quarantine_plan(gap)
    feeds.quarantine_discard(gap, **BY)
    assert feeds.quarantined(10, state="open") == []
    assert feeds.quarantined(10, state="discarded")[0].decided_why == "looked at it"


def test_importing_the_file_again_brings_nothing_back_that_was_decided(imported, write_bars, load, lines) -> None:
    feeds.quarantine_release(record(52), "", {}, **BY)
    feeds.quarantine_discard(record(102), **BY)
    again = load(write_bars(lines))
    assert not again.was_done  # another row has come since
    assert (again.rows_added, again.rows_quarantined, again.reasons["nan"]) == (0, 2, 1)
    assert sorted(QuarantinedRecord.objects.exclude(reason="gap").values_list("line", "state")) == [
        (52, "released"), (102, "discarded"), (152, "open"),
    ]  # fmt: skip
    assert len(read_bars("TEST:WALK", "1m")) == 298


def test_all_that_was_found_is_discarded_unless_it_is_other_than_what_was_shown(imported) -> None:
    assert feeds.quarantine_count() == 3  # gaps are notes, and counted where they are asked for
    assert feeds.quarantine_count(reason="gap") == 3
    assert [each.reason for each in feeds.quarantined(9, with_gaps=False)].count("gap") == 0
    assert feeds.quarantine_count("test:walk", "nan") == 1
    assert {(each.reason, each.rows) for each in feeds.quarantine_counts(10)} >= {("jump", 1), ("nan", 1)}
    with pytest.raises(QuarantineError, match="it finds 1 open records now, and 2 were shown"):
        feeds.quarantine_discard_all("TEST:WALK", "nan", "", 2, **BY)
    feeds.quarantine_discard_all("TEST:WALK", "nan", "bars.csv", 1, **BY)
    feeds.quarantine_discard_all("TEST:WALK", "", "other.csv", 0, **BY)
    feeds.quarantine_discard_all("TEST:WALK", "", "", 2, **BY)
    assert (feeds.quarantine_count(), feeds.quarantine_count(reason="gap")) == (0, 3)
    assert feeds.quarantined_row(record(152)).state == "discarded"


def test_a_tick_is_let_in_beside_those_of_its_time(tmp_path) -> None:
    lines = [f"2014-05-02T00:00:{at:02d}Z,1.1,1.2" for at in range(40)]
    file = tmp_path / "ticks.csv"
    file.write_text("\n".join(["ts,bid,ask", *lines, "2014-05-02T00:00:39Z,-1,1.2"]) + "\n")
    import_file(file, find_instrument("OANDA:EURUSD"), 0, (Kind.TICKS,), Options())
    number = QuarantinedRecord.objects.get(reason="not-positive").pk
    assert feeds.quarantine_columns(number) == [("bid", False), ("ask", False), ("last", False), ("size", False)]
    with pytest.raises(QuarantineError, match="bid-above-ask"):
        feeds.quarantine_release(number, "", {"bid": "1.3"}, **BY)
    feeds.quarantine_release(number, "", {"bid": "1.15"}, **BY)
    stored = list(Tick.objects.order_by("-time", "-sequence").values_list("sequence", "bid", "ask")[:2])
    assert stored == [(1, 1.15, 1.2), (0, 1.1, 1.2)]
    assert np.isnan(Tick.objects.order_by("-time", "-sequence")[0].last)
