"""Imports into a real PostgreSQL: once, checked, whole batches, conflicts."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from django.db import connections

from apps.feeds import imports
from apps.feeds.imports import BATCH_ROWS
from apps.feeds.interface import read_bars, read_bars_file
from apps.feeds.models import Bar, Import, QuarantinedRecord, Series
from apps.feeds.series import SeriesBusy, only_writer
from tests.integration.feeds.conftest import bar_lines

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.django_db(databases=["feeds"], transaction=True)


def state() -> tuple:
    return (
        list(Bar.objects.order_by("time").values_list()),
        list(QuarantinedRecord.objects.values_list("line", "reason", "detail", "text")),
        list(Series.objects.values_list("rows", "first", "last", "version")),
    )


def test_rows_of_the_table_equal_the_bars_of_the_file(instrument, write_bars, load) -> None:
    path = write_bars(bar_lines(5_000))
    outcome = load(path)
    assert (outcome.rows_read, outcome.rows_good, outcome.rows_added) == (5_000, 5_000, 5_000)
    straight, _ = read_bars_file(path)
    stored = read_bars("TEST:WALK", "1m")
    for name in ("time", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(straight, name), getattr(stored, name)), name
    series = Series.objects.get()
    assert (series.rows, series.version) == (5_000, 1)
    assert Bar.objects.filter(time__gte="2021-01-01T00:00Z").count() == 5_000 - 240


def test_batches_written_side_by_side_are_all_there(instrument, write_bars, load, monkeypatch) -> None:
    monkeypatch.setattr(imports, "BATCH_ROWS", 700)
    path = write_bars(bar_lines(5_000))
    assert load(path).rows_added == 5_000
    assert np.array_equal(read_bars("TEST:WALK", "1m").close, read_bars_file(path)[0].close)
    assert Series.objects.get().version == 8
    assert Series.objects.get().rows == 5_000
    assert BATCH_ROWS > 50_000


def test_importing_twice_changes_nothing(instrument, write_bars, load) -> None:
    lines = bar_lines(300)
    lines[50] = "rubbish"
    lines[60] = lines[59]
    path = write_bars(lines)
    first = load(path)
    before = state()
    again = load(path)
    assert again.was_done
    assert (again.rows_added, again.rows_present, again.reasons) == (0, first.rows_good, first.reasons)
    assert state() == before
    Import.objects.update(version_after=-1)  # as if other rows had come since: every row is compared
    compared = load(path)
    assert not compared.was_done
    assert (compared.rows_added, compared.rows_present, compared.reasons) == (0, first.rows_good, first.reasons)
    assert state() == before


def test_overlapping_files_add_what_is_new(instrument, write_bars, load) -> None:
    lines = bar_lines(500)
    load(write_bars(lines[100:300], "middle.csv"))
    outcome = load(write_bars(lines, "all.csv"))
    assert (outcome.rows_added, outcome.rows_present) == (300, 200)
    assert len(read_bars("TEST:WALK", "1m")) == 500


def test_bad_rows_are_kept_with_line_reason_and_text_and_the_rest_is_imported(instrument, write_bars, load) -> None:
    lines = bar_lines(200)
    lines[10] = lines[10].replace(lines[10].split(",")[2], "nan")
    lines[20] = "not a bar"
    lines[30] = ",".join([lines[30].split(",")[0], "1", "2", "3", "1", "5"])
    del lines[100:103]
    outcome = load(write_bars(lines))
    kept = {record.line: record for record in QuarantinedRecord.objects.exclude(reason="gap")}
    assert {line: record.reason for line, record in kept.items()} == {12: "nan", 22: "unreadable", 32: "high-low"}
    assert kept[22].text == "not a bar"
    assert "high 2.0 is below low 3.0" in kept[32].detail
    assert (outcome.rows_read, outcome.rows_good, outcome.rows_quarantined) == (197, 194, 3)
    gaps = QuarantinedRecord.objects.filter(reason="gap")
    assert [gap.detail.split(" between")[0] for gap in gaps] == ["1 bars missing"] * 3 + ["3 bars missing"]


def test_a_stored_bar_with_other_values_is_a_conflict_until_the_file_is_made_the_truth(
    instrument, write_bars, load
) -> None:
    lines = bar_lines(100)
    load(write_bars(lines))
    before = read_bars("TEST:WALK", "1m")
    changed = lines.copy()
    changed[40] = ",".join([lines[40].split(",")[0], *lines[41].split(",")[1:]])
    path = write_bars(changed, "changed.csv")
    outcome = load(path)
    assert (outcome.rows_added, outcome.rows_present, outcome.reasons) == (0, 99, {"conflict": 1})
    record = QuarantinedRecord.objects.get()
    assert record.line == 42
    assert f"close {before.close.tolist()[41]!r}, stored {before.close.tolist()[40]!r}" in record.detail
    assert np.array_equal(read_bars("TEST:WALK", "1m").close, before.close)
    assert load(path).was_done
    replaced = load(path, replace=True)
    assert (replaced.rows_replaced, replaced.rows_present, replaced.reasons) == (1, 99, {})
    after = read_bars("TEST:WALK", "1m")
    assert after.close[40] == before.close[41]
    assert len(after) == 100
    assert Series.objects.get().rows == 100
    assert load(path, replace=True).was_done


def test_a_file_of_bad_rows_only_is_recorded(instrument, write_bars, load) -> None:
    outcome = load(write_bars(["2020-01-01T00:00:00Z,1,2,3,4,5", "x"]))
    assert (outcome.rows_good, outcome.rows_quarantined) == (0, 2)
    assert Bar.objects.count() == 0


def test_two_writers_of_one_series_take_turns(instrument, write_bars, load, monkeypatch) -> None:
    monkeypatch.setattr("apps.feeds.series._PATIENCE_SECONDS", 0.05)
    path = write_bars(bar_lines(10))
    load(path)
    other = connections.create_connection("feeds")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [str(Series.objects.get().uid)])
        Import.objects.update(version_after=-1)
        with pytest.raises(SeriesBusy, match="another process is writing TEST:WALK 1m bars"):
            load(path)
    other.close()
    with only_writer(Series.objects.get()):
        pass


KILLED = """
import os, signal, sys, threading
import django
import apps
django.setup()
from pathlib import Path
from apps.feeds import imports
from apps.feeds.records import Kind
from apps.feeds.series import find_instrument
path, at, where = sys.argv[1], int(sys.argv[2]), sys.argv[3]
imports.BATCH_ROWS = 500
batch, write, batches, mine = imports.write_batch, imports.write_rows, 0, threading.local()

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def write_batch(*given):
    global batches
    batches += 1
    mine.number = batches
    if where == "before" and mine.number == at:
        die()
    batch(*given)
    if where == "after" and mine.number == at:
        die()

def write_rows(*given):
    write(*given)
    if where == "within" and mine.number == at:
        die()

imports.write_batch, imports.write_rows = write_batch, write_rows
imports.import_file(Path(path), find_instrument("TEST:WALK"), 60 * 10**9, (Kind.BARS,), imports.Options())
"""


def feeds_url() -> str:
    parameters = connections["feeds"].get_connection_params()
    user = quote(parameters.get("user") or "", safe="")
    password = quote(parameters.get("password") or "", safe="")
    name = connections["feeds"].settings_dict["NAME"]
    host, port = parameters["host"], parameters.get("port") or 5432
    address = f"localhost:{port}/{name}?host={quote(str(host), safe='')}"
    return f"postgresql://{user}{':' if password else ''}{password}@{address}"


@pytest.mark.parametrize(("at", "where"), [(1, "before"), (1, "within"), (2, "after"), (4, "within"), (7, "after")])
def test_a_killed_import_leaves_whole_batches_and_is_completed_by_importing_again(
    instrument, write_bars, load, at: int, where: str
) -> None:
    lines = bar_lines(3_500)
    lines[17] = "rubbish"
    path = write_bars(lines)
    environment = os.environ | {"FEEDS_DATABASE_URL": feeds_url(), "DJANGO_SETTINGS_MODULE": "settings.test"}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(at), where],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with only_writer(Series.objects.get()):  # the server has seen that the process is gone
        series = Series.objects.get()
    assert Import.objects.get().status == Import.Status.RUNNING
    stored = Bar.objects.count()
    assert stored == series.rows
    assert stored % 500 in (0, 3_499 % 500)
    assert stored <= 3_499
    if where == "after":
        assert stored >= 499
    outcome = load(path)
    assert (outcome.rows_good, outcome.rows_added, outcome.rows_present) == (3_499, 3_499 - stored, stored)
    assert outcome.reasons == {"unreadable": 1, "gap": 1}
    assert np.array_equal(read_bars("TEST:WALK", "1m").close, read_bars_file(path)[0].close)
    assert Series.objects.get().rows == Bar.objects.count() == 3_499
    assert load(path).was_done
