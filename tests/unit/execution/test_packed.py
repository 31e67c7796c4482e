"""Columns as bytes, and the index of ids over arrays that grow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.growing import Growing, IdIndex, decimal_ids, texts_of
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


@given(st.lists(st.lists(st.integers(0, 50), max_size=30), max_size=8))
def test_the_index_finds_what_a_dictionary_would(batches):
    index, known = IdIndex(), {}
    for batch in batches:
        ids = np.array([f"{number:024d}" for number in batch], "S24")
        for row, each in zip(index.append(ids).tolist(), ids.tolist(), strict=True):
            known.setdefault(each, row)
    wanted = np.array([f"{number:024d}" for number in range(55)], "S24")
    assert index.find(wanted).tolist() == [known.get(each, -1) for each in wanted.tolist()]


def test_the_index_still_finds_everything_after_its_table_has_grown():
    index = IdIndex()
    ids = np.array([f"{number:x}" for number in range(10_000)], "S24")
    for part in np.split(ids, 20):
        index.append(part)
    assert index.find(ids).tolist() == list(range(10_000))


@given(st.lists(st.integers(-5, 12) | st.integers(1, 2**63 - 1), max_size=40))
def test_numbers_become_ids_in_decimal_and_texts(numbers):
    expected = [str(number) if number > 0 else "" for number in numbers]
    ids = decimal_ids(np.array(numbers, np.int64))
    assert [each.decode() for each in ids.tolist()] == expected
    assert texts_of(ids) == expected
