"""How the C library keeps memory that was given back to it: processes of many threads and long lives grow by it."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_ARENAS = 2  # threads that allocate do so one after the other, under the interpreter's lock
_LARGE_BYTES = 2**20


def return_memory() -> None:
    """Let memory that was freed go back to the system, in this process and in those that it forks."""
    _call("mallopt", _ARENA_MAX, _ARENAS)
    _call("mallopt", _TRIM_THRESHOLD, 4 * _LARGE_BYTES)
    _call("mallopt", _MMAP_THRESHOLD, _LARGE_BYTES)


def return_pages() -> None:
    """Give back the pages between what is used: they are kept else, since only an end of the memory is given back."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:  # not every C library of Linux has it
        function(*arguments)
