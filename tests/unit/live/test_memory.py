import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from apps.signals.memory import laid_out

RECORD = np.dtype([("count", np.int64), ("price", np.float64)], align=True)  # without a gap, whose bytes are nothing
DTYPES = st.sampled_from([np.dtype(each) for each in ("f8", "f4", "i8", "u1", "?")] + [RECORD])
ARRAYS = st.lists(arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0)), max_size=6)


def same(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@given(ARRAYS)
def test_arrays_in_a_block_are_those_that_were_laid_out(given_arrays):
    _, moved = laid_out(given_arrays)
    assert all(map(same, moved, given_arrays))
    assert all(each.flags.aligned and each.flags.writeable for each in moved)


@given(ARRAYS)
def test_a_block_is_all_that_its_arrays_are(given_arrays):
    block, _ = laid_out(given_arrays)
    other, copies = laid_out([np.zeros_like(each) for each in given_arrays])
    other[:] = block
    assert all(map(same, copies, given_arrays))
    assert laid_out(copies)[0].tobytes() == block.tobytes()


def test_an_array_keeps_its_order():
    by_column = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    _, (moved, turned) = laid_out([by_column, by_column.T])
    assert moved.flags.f_contiguous
    assert not moved.flags.c_contiguous
    assert turned.flags.c_contiguous
