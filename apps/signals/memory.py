"""Arrays in one piece of memory, so that all of them are copied and hashed at once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALIGNED = 64  # bytes, more than any type of an array asks for


def laid_out(arrays: Sequence[NDArray[Any]]) -> tuple[NDArray[np.uint8], list[NDArray[Any]]]:
    """Return a block of memory, uint8[bytes], and arrays in it that are equal to those given, in the same order.

    What lies between them is zero, so blocks of equal arrays are equal. Their layout (by row or by column) is kept.
    """
    places = [0]
    for array in arrays:
        places.append(places[-1] + -(-array.nbytes // _ALIGNED) * _ALIGNED)
    unaligned = np.zeros(places[-1] + _ALIGNED, np.uint8)
    start = -unaligned.ctypes.data % _ALIGNED
    block = unaligned[start : start + places[-1]]
    moved: list[NDArray[Any]] = []
    for array, place in zip(arrays, places, strict=False):
        by_column = array.flags.f_contiguous and not array.flags.c_contiguous
        here: NDArray[Any] = np.ndarray(array.shape, array.dtype, block, place, order="F" if by_column else "C")
        here[...] = array
        moved.append(here)
    return block, moved
