"""The one way kernels are compiled, and where the compiled code is kept.

Compiled code is kept in a directory named after everything that decides what it is: the interpreter, Numba, LLVM, the
processor, and the text of every source file that kernels are made of. A change to any of them is another directory, so
code compiled from other sources can never be loaded; Numba itself moves finished files into place, so a half-written
one cannot either. Kernels in other files (strategies, and what they call) are not kept by themselves: they are kept in
the loops that are compiled around them, under a name that holds the hash of the strategy's code.
"""

import hashlib
import os
import platform
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba import njit

ROOT = Path(__file__).resolve().parents[2]

# Folders whose kernels are kept, in a directory named after the text of their files.
_KEPT_SOURCES = ("platform/trading", "apps/backtest/kernels", "apps/execution/kernels", "apps/risk/kernels")


def data_directory() -> Path:
    """Return the folder for everything Banyan writes by itself: `BANYAN_DATA_DIR`, or `var/` in the project."""
    return Path(os.environ.get("BANYAN_DATA_DIR") or ROOT / "var")


@lru_cache(maxsize=1)
def source_digest() -> str:
    """Return 16 hex digits that change whenever a kernel's source, the compiler or the processor does."""
    from importlib.metadata import version

    digest = hashlib.sha256()
    for fact in (
        sys.version,
        version("numba"),
        version("llvmlite"),
        version("numpy"),
        platform.machine(),
        _processor(),
    ):
        digest.update(fact.encode() + b"\0")
    for folder in _KEPT_SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_directory() -> Path:
    """Return the versioned folder that holds the compiled kernels of exactly these sources on this machine."""
    return data_directory() / "kernels" / source_digest()


def is_kept(path: Path) -> bool:
    """Tell whether the kernels of a source file (absolute path) are kept on disk by themselves."""
    return any(path.is_relative_to(ROOT / folder) for folder in _KEPT_SOURCES)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "".join(line for line in lines[:30] if line.startswith(("model name", "flags")))


# Set here and not in the environment, so that it holds too where Numba was imported before.
numba.config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR") or str(cache_directory())  # type: ignore[attr-defined]


def _is_kept(function: Callable[..., Any]) -> bool:
    return is_kept(Path(function.__code__.co_filename).resolve())


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` to machine code at its first call, without the GIL, kept across processes.

    Division by zero gives inf or nan as in NumPy. Never `fastmath`: a kernel that decides must give the same bits in
    every process. `kernel.py_func` is the plain Python function, the oracle in tests.
    """
    return _compiled(function)


def inner_kernel(function: Callable[..., Any]) -> Any:
    """Compile as `kernel` does a function that neither makes nor returns arrays, to be called from other kernels.

    Its arrays are kept alive by whoever called the outermost kernel, so no references are counted: with the thirty
    arrays of a market and an account that counting would cost more than the work itself.
    """
    return _compiled(function, _nrt=False)


def inlined_kernel(function: Callable[..., Any]) -> Any:
    """Compile as `inner_kernel` does a function that becomes a part of each kernel that calls it.

    For what is called in one or two places with a whole account: putting fifty numbers on the stack and taking them
    back costs more than most of what is done with them.
    """
    return _compiled(function, _nrt=False, forceinline=True)


def _compiled(function: Callable[..., Any], **more: Any) -> Any:
    # Nobody calls a kernel by its address in C; the way in for that would be a fifth of what compiling costs.
    flags: dict[str, Any] = {"cache": _is_kept(function), "error_model": "numpy", "no_cfunc_wrapper": True, **more}
    return njit(nogil=True, **flags)(function)
