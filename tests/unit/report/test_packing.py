import base64

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from apps.backtest.report.packing import pack, scale_for

TYPES = {"i1": np.int8, "i2": np.int16, "i4": np.int32}


def unpack(packed):
    """What assets/packed.js does."""
    if packed["type"] == "none":
        return np.full(packed["n"], np.nan)
    raw = base64.b64decode(packed["data"])
    if packed["type"] == "f8":
        return np.frombuffer(raw, "<f8")
    steps = np.frombuffer(raw, np.dtype(TYPES[packed["type"]]).newbyteorder("<")).astype(np.int64)
    missing = steps == np.iinfo(TYPES[packed["type"]]).min
    sums = packed["first"] + packed["unit"] * np.cumsum(np.where(missing, 0, steps))
    return np.where(missing, np.nan, sums / packed["scale"])


@given(
    values=arrays(np.float64, st.integers(0, 40), elements=st.floats(-1e9, 1e9) | st.just(np.nan)),
    scale=st.sampled_from([1.0, 100.0, 1e5]),
)
def test_floats_come_back_within_half_a_unit(values, scale):
    found = unpack(pack(values, scale))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    np.testing.assert_allclose(found, values, atol=0.5 / scale + 1e-6, rtol=1e-12)


@given(values=st.lists(st.integers(-(2**52), 2**52), max_size=40))
def test_whole_numbers_come_back_exactly(values):
    assert unpack(pack(np.array(values, dtype=np.int64))).tolist() == values


def test_even_steps_take_one_byte_each():
    packed = pack(1_577_836_800_000 + 3_600_000 * np.arange(1000))
    assert packed["type"] == "i1"
    assert packed["unit"] == 3_600_000
    assert len(base64.b64decode(packed["data"])) == 1000


def test_column_of_nothing_but_nan_takes_no_data():
    assert pack(np.array([np.nan, np.nan])) == {"n": 2, "type": "none"}


def test_scale_keeps_the_asked_digits_of_the_largest_value():
    assert scale_for(np.array([12.5, -100_000.0]), 7) == 10.0
    assert scale_for(np.array([0.0012]), 4) == 1e6
    assert scale_for(np.array([0.0])) == 1.0
