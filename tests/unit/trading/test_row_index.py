"""Rows are found as a dictionary would find them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading.row_index import NOWHERE, find_cells, find_rows

NUMBERS = st.lists(st.integers(0, 60), max_size=40)


def index_of(numbers):
    known = np.array(sorted(set(numbers)), np.int64)
    rows = np.random.default_rng(len(numbers)).permutation(known.size)
    return known, rows, dict(zip(known.tolist(), rows.tolist(), strict=True))


@given(NUMBERS, NUMBERS)
def test_rows_are_found_in_whatever_order_they_are_asked_for(there, asked):
    known, rows, by_number = index_of(there)
    found = find_rows(known, rows, np.array(asked, np.int64))
    assert found.tolist() == [by_number.get(number, NOWHERE) for number in asked]


@given(NUMBERS, st.lists(st.tuples(st.integers(0, 60), st.integers(-1, 4)), max_size=40))
def test_cells_are_found_by_number_and_listed_instrument(there, asked):
    known, rows, by_number = index_of(there)
    cells = np.arange(3 * max(1, known.size), dtype=np.int32).reshape(3, -1)
    listed = np.array([2, -1, 0], np.int64)
    numbers, index = (np.array([pair[at] for pair in asked], np.int64) for at in (0, 1))
    expected = []
    for number, at in asked:
        is_there = number in by_number and 0 <= at < 3 and listed[at] >= 0
        expected.append(int(cells[listed[at], by_number[number]]) if is_there else NOWHERE)
    assert find_cells(cells, known, rows, numbers, listed, index).tolist() == expected
    of_first = [int(cells[2, by_number[number]]) if number in by_number else NOWHERE for number, _ in asked]
    assert find_cells(cells, known, rows, numbers, listed, np.zeros(0, np.int64)).tolist() == of_first
