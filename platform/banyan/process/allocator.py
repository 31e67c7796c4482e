"""How the C library keeps memory that was given back to it: processes of many threads and long lives grow by it."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_ARENAS = 2  # threads that allocate do so one after the other, under the interpreter's lock
_LARGE_BYTES = 2**20


def return_memory() -> None:
    """Let memory that was freed go back to the system, in this process and in those that it forks."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # not every C library of Linux has it
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_TRIM_THRESHOLD, 4 * _LARGE_BYTES)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
