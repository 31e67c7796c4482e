"""Kernels called as machine code: the same bits as through Numba and in plain Python, whatever they are given."""

import threading
import traceback
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trading import native
from trading.compiled import Kernel, inner_kernel, kernel

FLOATS = st.floats(-1e6, 1e6, width=32)
COLUMNS = arrays(np.float64, st.integers(1, 40), elements=st.floats(allow_nan=True, allow_infinity=True))
BOOK = np.dtype([("lots", np.float64), ("live", np.int64), ("side", np.int8)], align=True)


class Inner(NamedTuple):
    factor: float
    count: int
    column: Any


class Outer(NamedTuple):
    inner: Inner
    table: Any
    is_on: bool


class Answer(NamedTuple):
    total: float
    inner: Inner
    pair: tuple[int, bool]


class Numbers(NamedTuple):
    total: float
    pair: tuple[int, bool]


@inner_kernel
def _scaled(given: Inner, x: float) -> float:
    return x * given.factor + given.count


@kernel
def nested(given: Outer, books: Any, out: Any) -> float:
    total = 0.0
    for i in range(given.table.shape[0]):
        for j in range(given.table.shape[1]):
            total += _scaled(given.inner, given.table[i, j])
    for k in range(books.size):
        books[k].live += 1
        out[k] = books[k].lots * books[k].side if given.is_on else given.inner.column[0]
        total += out[k]
    return total


@kernel
def running(x: Any, window: int = 3) -> Any:
    kept = np.zeros(window)
    total, rose = 0.0, 0
    for t in range(x.size):
        kept[t % window] = x[t]
        total += kept.mean() / (1.0 + abs(x[t]))
        rose += t > 0 and x[t] > x[t - 1]
    return total, rose, rose > 3


@kernel
def named(x: Any) -> Numbers:
    return Numbers(x[0] / x[1], (x.size, bool(x[0] > x[1])))


@kernel
def mixed(number: np.uint64, is_on: bool, x: float) -> np.uint64:
    return number * np.uint64(3) if is_on and x > 0.0 else number


@kernel
def nothing(out: Any) -> None:
    out[0] = 7.0


@kernel
def ends(x: Any) -> Any:
    return x[:2]


@kernel
def logs(x: Any) -> float:
    return np.log(x[0]) + np.exp(x[0]) + x[0] ** 0.3 + np.arctan2(x[0], 2.0)


@kernel
def refuses(x: float) -> float:
    if x > 2.0:
        raise ValueError("too high")
    return _deeper(x)


@kernel
def _deeper(x: float) -> float:
    if x < 0.0:
        raise KeyError
    if x < 1.0:
        raise IndexError("too low", 1)
    return x


def _bits(value: Any) -> Any:
    """Return a value in a form that is equal only for the same bits and the same types."""
    if isinstance(value, tuple):
        return type(value).__name__, [_bits(each) for each in value]
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, float):
        return "nan" if value != value else np.float64(value).tobytes()
    return type(value).__name__, value


def _three_ways(function: Kernel, make: Any) -> list[Any]:
    """Return what `function` returns and leaves in its arguments: as machine code, through Numba, in plain Python."""
    found = []
    for call in (function, function.by_numba, function.py_func):
        arguments = make()
        with np.errstate(all="ignore"):
            returned = call(*arguments)
        found.append((_bits(returned), _bits(arguments)))
    return found


@given(
    table=arrays(np.float64, (3, 4), elements=FLOATS),
    factor=FLOATS,
    count=st.integers(-(2**40), 2**40),
    is_on=st.booleans(),
    order=st.sampled_from("CFA"),
)
def test_nested_tuples_tables_and_records_give_the_same_bits(table, factor, count, is_on, order):
    def make():
        laid = {"C": table.copy(), "F": np.asfortranarray(table), "A": np.repeat(table, 2, axis=1)[:, ::2]}[order]
        books = np.zeros(3, BOOK)
        books["lots"], books["side"] = table[0, :3], (1, -1, 1)
        return Outer(Inner(factor, count, table[1].copy()), laid, is_on), books.view(np.recarray), np.zeros(3)

    machine, numba, plain = _three_ways(nested, make)
    assert machine == numba == plain


@given(x=COLUMNS, window=st.integers(1, 5))
def test_a_kernel_that_makes_arrays_and_returns_a_tuple_gives_the_same_bits(x, window):
    machine, numba, _ = _three_ways(running, lambda: (x.copy(), window))
    assert machine == numba


@given(x=arrays(np.float64, 2, elements=st.floats(allow_nan=False)))
def test_a_named_tuple_comes_back_as_one(x):
    machine, numba, plain = _three_ways(named, lambda: (x.copy(),))
    assert machine == numba
    assert machine[0][0] == plain[0][0] == "Numbers"


@given(number=st.integers(0, 2**64 - 1), is_on=st.booleans(), x=st.floats())
def test_unsigned_numbers_and_truths_keep_their_bits(number, is_on, x):
    expected = number * 3 % 2**64 if is_on and x > 0 else number
    assert mixed(np.uint64(number), np.bool_(is_on), x) == expected
    assert mixed.by_numba(np.uint64(number), is_on, x) == expected


@given(x=st.floats(1e-300, 1e3))
def test_functions_of_the_c_library_give_the_bits_that_they_give_numba(x):
    machine, numba, _ = _three_ways(logs, lambda: (np.array([x]),))
    assert machine == numba


def test_nothing_comes_back_as_none():
    out = np.zeros(1)
    assert nothing(out) is None
    assert out[0] == 7.0


def test_an_argument_that_is_left_out_has_its_default():
    x = np.arange(5.0)
    assert running(x) == running(x, 3)
    with pytest.raises(TypeError, match="missing a required argument"):
        running()
    with pytest.raises(TypeError, match="too many"):
        running(x, 3, 4)


@pytest.mark.parametrize("odd", [2**70, np.float32(1.5), np.arange(3, dtype=np.float32), None, "text"])
def test_what_entries_do_not_take_goes_the_way_of_numba(odd):
    def by(call):
        try:
            return call(odd)
        except Exception as error:
            return type(error)

    @kernel
    def same(x):
        return x

    assert _bits(by(same)) == _bits(by(same.by_numba))


def test_an_array_comes_back_through_numba():
    assert ends(np.arange(4.0)).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("x", "kind", "text", "function", "source"),
    [
        (3.0, ValueError, "too high", "refuses", 'raise ValueError("too high")'),
        (0.5, IndexError, "('too low', 1)", "_deeper", 'raise IndexError("too low", 1)'),
        (-1.0, KeyError, "", "_deeper", "raise KeyError"),
    ],
)
def test_an_exception_is_that_of_the_kernel_and_tells_its_line(x, kind, text, function, source):
    with pytest.raises(kind) as caught:
        refuses(x)
    assert type(caught.value) is kind
    assert text in str(caught.value)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.name, last.line) == (__file__, function, source)


def test_a_kernel_that_has_raised_can_be_called_again():
    with pytest.raises(ValueError, match="too high"):
        refuses(3.0)
    assert refuses(1.5) == 1.5


def test_threads_that_meet_at_a_new_kernel_compile_it_once(monkeypatch):
    made = []
    compiled = Kernel._compiled
    monkeypatch.setattr(Kernel, "_compiled", lambda self, *given: made.append(1) or compiled(self, *given))

    @kernel
    def doubled(x):
        return x[0] * 2.0

    found = [0.0] * 8
    together = threading.Barrier(len(found))

    def work(number):
        together.wait()
        found[number] = doubled(np.array([float(number)]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2.0 * number for number in range(8)]
    assert made == [1]


def test_arrays_of_one_layout_share_an_entry():
    @kernel
    def first(x):
        return x[0, 0]

    row, table = np.ones((1, 5)), np.ones((2, 5))  # NumPy calls the first one C and F contiguous, the second one C
    assert first(row) == first(table) == 1.0
    assert native.text_of(_kinds(row)) == native.text_of(_kinds(table))
    assert len(first._entries) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((2, 2)), np.asfortranarray(np.zeros((2, 2)))),
        (np.zeros(2), np.zeros(4)[::2]),
        (np.zeros(2), np.broadcast_to(np.zeros(2), 2)),
        (np.zeros(2), np.zeros(2, np.int64)),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(1, BOOK), np.zeros(1, np.dtype(BOOK.descr))),
        (1, 1.0),
        (1, True),
        ((1, 2), (1, 2, 3)),
        ((1, (2, 3)), ((1, 2), 3)),
        (Numbers(1.0, (1, True)), (1.0, (1, True))),
    ],
)
def test_arguments_that_are_compiled_apart_are_told_apart(one, other):
    assert _kinds(one) != _kinds(other)
    assert native.text_of(_kinds(one)) != native.text_of(_kinds(other))


def _kinds(value):
    kinds = []
    native.take_apart((value,), kinds, [])
    return tuple(kinds)


def test_this_interpreters_arrays_are_read_as_they_are_laid_out():
    assert native.reads_arrays()


@pytest.mark.parametrize("reads", [True, False])
def test_an_address_is_that_of_the_first_element(reads, monkeypatch):
    monkeypatch.setattr(native, "reads_arrays", lambda: reads)
    table = np.zeros((3, 4))
    assert native.address_of(table[1]) - native.address_of(table) == table[0].nbytes
    assert native.address_of(table[:, 1:]) == table[:, 1:].ctypes.data
