"""Arrays that grow, in memory and in a file that is out of the way."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.growing import Growing, Spilled
from banyan.records import copied, picked

ROW = np.dtype([("number", np.int64), ("state", np.int8)], align=True)
KEPT = 1024


def rows_of(first: int, count: int) -> np.ndarray:
    rows = np.zeros(count, ROW)
    rows["number"] = np.arange(first, first + count)
    return rows


@given(st.lists(st.integers(0, 5_000), max_size=12), st.randoms(use_true_random=False))
def test_a_spilled_array_holds_what_one_in_memory_does(tmp_path_factory, counts, random):
    spilled, plain = Spilled(ROW, tmp_path_factory.getbasetemp(), kept=KEPT), Growing(ROW)
    for count in counts:
        added = rows_of(plain.size, count)
        assert spilled.append(added).tolist() == plain.append(added).tolist()
        if plain.size:
            row = random.randrange(plain.size)
            spilled.rows["state"][row] = plain.rows["state"][row] = 1
    assert spilled.size == plain.size
    assert (spilled.rows == plain.rows).all()


def test_rows_that_were_taken_before_it_grew_are_the_same_rows(tmp_path):
    spilled = Spilled(ROW, tmp_path, kept=KEPT)
    spilled.append(rows_of(0, 10))
    before = spilled.rows
    spilled.append(rows_of(10, 100_000))
    spilled.rows["state"][3] = 7
    assert before["state"][3] == 7


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_old_rows_leave_memory_and_come_back(tmp_path):
    spilled = Spilled(ROW, tmp_path, kept=KEPT)
    for first in range(0, 200_000, 1_000):
        spilled.append(rows_of(first, 1_000))
    assert resident_bytes(tmp_path) < 400_000 < spilled.rows.nbytes
    assert int(spilled.rows["number"].sum()) == 199_999 * 100_000
    assert resident_bytes(tmp_path) >= spilled.rows.nbytes - KEPT * ROW.itemsize


def test_its_file_has_no_name(tmp_path):
    spilled = Spilled(ROW, tmp_path)
    spilled.append(rows_of(0, 10))
    assert not list(tmp_path.iterdir())


def resident_bytes(folder: Path) -> int:
    kilobytes, is_ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        word = line.split()[0]
        if not word.endswith(":"):
            is_ours = str(folder) in line
        elif is_ours and word == "Rss:":
            kilobytes += int(line.split()[1])
    return 1024 * kilobytes


def test_records_that_are_picked_or_copied_are_the_same_and_their_own():
    rows = rows_of(5, 4)
    rows["state"] = [1, 0, 2, 0]
    assert picked(rows, np.array([3, 0])).tolist() == [(8, 0), (5, 1)]
    assert picked(rows, rows["state"] != 0).tolist() == [(5, 1), (7, 2)]
    records = rows.view(np.recarray)
    made = copied(records)
    assert type(made) is np.recarray
    made.number[0] = 9
    assert records.tolist() == [(5, 1), (6, 0), (7, 2), (8, 0)]
    assert made.tolist() == [(9, 1), (6, 0), (7, 2), (8, 0)]
    part = rows[1:3]
    assert copied(part).tolist() == part.tolist()
