"""Arrays as they are stored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apps.backtest.store import StoredRunError, digest, packed, unpacked
from apps.backtest.store_plain import plain
from trading.ledger import FILL_DTYPE, TRADE_DTYPE


@given(arrays(np.float64, st.integers(0, 40), elements=st.floats(allow_nan=True, allow_subnormal=True)))
def test_floats_come_back_bit_for_bit(array: np.ndarray) -> None:
    assert unpacked(packed(array), array.dtype, array.size).tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", [FILL_DTYPE, TRADE_DTYPE, np.dtype(np.int64)])
@pytest.mark.parametrize("size", [0, 1, 17])
def test_records_come_back_bit_for_bit(dtype: np.dtype, size: int) -> None:
    array = np.frombuffer(np.random.default_rng(size).bytes(size * dtype.itemsize), dtype)
    back = unpacked(packed(array), dtype, size)
    assert back.dtype == dtype
    assert back.tobytes() == array.tobytes()


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(StoredRunError, match="damaged"):
        unpacked(packed(np.zeros(3)), np.dtype(np.float64), 4)


def test_one_bit_changes_the_digest() -> None:
    array = np.arange(5.0)
    other = array.copy()
    other[2] = np.nextafter(other[2], 10.0)
    assert digest(array) != digest(other)
    assert digest(array) == digest(array.copy())
    assert digest(np.zeros(2)) != digest(np.zeros(2, np.int64))


def test_what_json_does_not_have_becomes_none() -> None:
    given = {"a": np.float64("nan"), "b": (np.int64(1), float("inf")), 3: np.bool_(True), "c": np.array([1.5])}
    assert plain(given) == {"a": None, "b": [1, None], "3": True, "c": [1.5]}
