"""Columns as bytes, and the index of ids over arrays that grow."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.growing import ChainedIds, Growing, IdIndex, decimal_ids, texts_of
from apps.execution.packed import PackedError, pack, pack_records, unpack, unpack_records

INTEGERS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200), max_size=40)


@given(INTEGERS)
def test_a_column_comes_back_as_it_was_packed(numbers):
    column = np.array(numbers, np.int64)
    assert unpack(pack(column), column.size).tolist() == numbers


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 1000))
def test_a_column_of_one_number_takes_nine_bytes_at_most(number, rows):
    packed = pack(np.full(rows, number, np.int64))
    assert len(packed) <= 9
    assert unpack(packed, rows).tolist() == [number] * rows


@pytest.mark.parametrize("packed", [b"\x01\x05", b"\x03\x00\x00\x00", b"\x00\x01", b"\xff"])
def test_bytes_that_are_no_column_of_so_many_rows_are_refused(packed):
    with pytest.raises(PackedError):
        unpack(packed, 3)


def test_records_come_back_and_a_field_that_nobody_knows_is_refused():
    dtype = np.dtype([("a", np.int32), ("b", np.int8), ("zero", np.int64)])
    records = np.array([(1, -1, 0), (70_000, 5, 0)], dtype)
    packed = pack_records(records)
    assert "zero" not in packed
    assert unpack_records(packed, 2, dtype).tolist() == records.tolist()
    with pytest.raises(PackedError, match="'c'"):
        unpack_records({"c": b""}, 2, dtype)


def test_an_array_grows_and_keeps_its_rows():
    growing = Growing(np.int64, room=2)
    assert growing.append(np.array([1, 2, 3])).tolist() == [0, 1, 2]
    assert growing.append(np.array([4])).tolist() == [3]
    assert growing.rows.tolist() == [1, 2, 3, 4]


INDEXES = pytest.mark.parametrize("make", [IdIndex, ChainedIds])


@INDEXES
@given(st.lists(st.lists(st.integers(0, 50), max_size=30), max_size=8), st.sampled_from([1, 7, 16, 10**8]))
def test_the_index_finds_what_a_dictionary_would(make: Callable[[], Any], batches, spread):
    index, known = make(), {}
    for batch in batches:
        ids = np.array([f"{number * spread:024d}" for number in batch], "S24")
        for row, each in zip(index.append(ids).tolist(), ids.tolist(), strict=True):
            known.setdefault(each, row)
        wanted = np.array([f"{number * spread:024d}" for number in range(55)], "S24")
        assert index.find(wanted).tolist() == [known.get(each, -1) for each in wanted.tolist()]


@INDEXES
@pytest.mark.parametrize("count", [10_000, 60_000])
def test_the_index_still_finds_everything_after_its_table_has_grown(make: Callable[[], Any], count):
    index = make()
    ids = np.array([f"{number:x}" for number in range(count)], "S24")
    for part in np.split(ids, 20):
        index.append(part)
    assert index.find(ids).tolist() == list(range(count))
    assert index.find(np.array([f"{count + number:x}" for number in range(9)], "S24")).tolist() == [-1] * 9


def test_ids_of_long_ago_are_found_where_their_memory_was_given_back():
    accounts = np.arange(1_000)
    with TemporaryDirectory() as folder:
        index = ChainedIds(Path(folder))
        rounds = [np.array([f"{account:016x}{turn:08x}" for account in accounts], "S24") for turn in range(150)]
        for ids in rounds:
            assert (index.find(ids) == -1).all()
            index.append(ids)
        assert index._newest.size < 10_000
        for turn in (149, 75, 0):
            assert index.find(rounds[turn]).tolist() == (turn * 1_000 + accounts).tolist()
        assert index.find(np.array([b"", b"0" * 24, rounds[3][5], b"f" * 24], "S24")).tolist() == [-1, 0, 3_005, -1]


@given(st.lists(st.integers(-5, 12) | st.integers(1, 2**63 - 1), max_size=40))
def test_numbers_become_ids_in_decimal_and_texts(numbers):
    expected = [str(number) if number > 0 else "" for number in numbers]
    ids = decimal_ids(np.array(numbers, np.int64))
    assert [each.decode() for each in ids.tolist()] == expected
    assert texts_of(ids) == expected
