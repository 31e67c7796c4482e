"""The one way kernels are compiled, and where the compiled code is kept.

Compiled code is kept in a directory named after everything that decides what it is: the interpreter, Numba, LLVM, the
processor, and the text of every source file that kernels are made of. A change to any of them is another directory, so
code compiled from other sources can never be loaded; files are moved into place whole and carry a checksum, so a
half-written one cannot either. Kernels in other files (strategies, and what they call) are not kept by themselves: they
are kept in the loops that are compiled around them, under a name that holds the hash of the strategy's code.

What is kept is machine code that is called without Numba (`trading.native`). Numba, which takes half a second to
import, is imported only where something has to be compiled (`trading.compiling`).
"""

import hashlib
import os
import platform
import sys
from collections.abc import Callable
from functools import cached_property, lru_cache, update_wrapper
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from threading import RLock
from time import perf_counter
from typing import Any

import llvmlite
import numpy as np

from trading import native

ROOT = Path(__file__).resolve().parents[2]

# Folders whose kernels are kept, in a directory named after the text of their files.
_KEPT_SOURCES = (
    "platform/trading",
    "apps/backtest/kernels",
    "apps/execution/kernels",
    "apps/reporting/kernels",
    "apps/risk/kernels",
)
# Those of them that are called many times for a few rows each, in processes that live long: Numba itself calls them.
_CALLED_OFTEN = ("apps.execution.kernels.", "apps.risk.kernels.", "trading.row_index")


def data_directory() -> Path:
    """Return the folder for everything Banyan writes by itself: `BANYAN_DATA_DIR`, or `var/` in the project."""
    return Path(os.environ.get("BANYAN_DATA_DIR") or ROOT / "var")


@lru_cache(maxsize=1)
def source_digest() -> str:
    """Return 16 hex digits that change whenever a kernel's source, the compiler or the processor does."""
    digest = hashlib.sha256()
    settings = (f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("NUMBA_"))
    for fact in (sys.version, *versions().values(), platform.machine(), _processor(), *settings):
        digest.update(fact.encode() + b"\0")
    for folder in _KEPT_SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@lru_cache(maxsize=1)
def cache_directory() -> Path:
    """Return the versioned folder that holds the compiled kernels of exactly these sources on this machine."""
    return data_directory() / "kernels" / source_digest()


def is_kept(path: Path) -> bool:
    """Tell whether the kernels of a source file (absolute path) are kept on disk by themselves."""
    return any(path.is_relative_to(ROOT / folder) for folder in _KEPT_SOURCES)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Return the versions of what makes and runs compiled code, Numba's without importing it."""
    found = find_spec("numba")
    assert found is not None
    assert found.origin is not None
    told = Path(found.origin).with_name("_version.py").read_text()
    numba = told.partition('"version": "')[2].partition('"')[0]
    return {"numpy": np.__version__, "numba": numba or told, "llvmlite": llvmlite.__version__}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "".join(line for line in lines[:30] if line.startswith(("model name", "flags")))


_UNKNOWN: Any = object()
_compiling = RLock()
_spent = [0.0]  # seconds, in all, on getting machine code
_importing = RLock()
_before_compiling: list[Callable[[], None]] = []
_compiler: list[Any] = []  # trading.compiling, once it is imported


class Kernel:
    """A function that runs as machine code: kept from an earlier process, or compiled at the first call of its kind.

    `py_func` is the plain Python function, the oracle in tests.
    """

    def __init__(self, function: Callable[..., Any], **options: bool) -> None:
        update_wrapper(self, function)
        self.py_func = function
        self._options = options
        self._count = function.__code__.co_argcount
        self._entries: dict[tuple[Any, ...], native.Entry | None] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        if len(arguments) != self._count:
            arguments = self._with_defaults(arguments)
        kinds: list[Any] = []
        slots: list[Any] = []
        try:
            native.take_apart(arguments, kinds, slots)
        except native.UnknownLayoutError:
            return self.by_numba(*arguments)
        key = tuple(kinds)
        entry = self._entries.get(key, _UNKNOWN)
        if entry is _UNKNOWN:
            entry = self._find(key, arguments)
        return self.by_numba(*arguments) if entry is None else entry(slots)

    def _with_defaults(self, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        bound = signature(self.py_func).bind(*arguments)
        bound.apply_defaults()
        return bound.args

    def _find(self, key: tuple[Any, ...], arguments: tuple[Any, ...]) -> native.Entry | None:
        with _compiling:
            if key not in self._entries:
                begun = perf_counter()
                try:
                    self._entries[key] = self._kept_entry(key, arguments)
                finally:
                    _spent[0] += perf_counter() - begun
            return self._entries[key]

    def _kept_entry(self, key: tuple[Any, ...], arguments: tuple[Any, ...]) -> native.Entry | None:
        """Return the entry for arguments of `key`, from its file or compiled; None where only Numba can call it."""
        if not native.reads_arrays():
            return None
        title = f"{self.py_func.__module__}.{self.py_func.__qualname__} {native.text_of(key)}"
        path = self._file(title, "entry")
        if path is None:
            code, _ = self._compiled(arguments)
        else:
            code = native.load(path, title) or self._compiled_alone(path, title, arguments)
        return native.Entry(code, key) if code.machine else None

    def _compiled_alone(self, path: Path, title: str, arguments: tuple[Any, ...]) -> native.Code:
        """Return what no other process has compiled while this one waited for it, kept from now on."""
        with native.alone(path):
            code = native.load(path, title)
            if code is None:
                code, lasts = self._compiled(arguments)
                if lasts:
                    native.write(path, title, code)
            return code

    def _compiled(self, arguments: tuple[Any, ...]) -> tuple[native.Code, bool]:
        """Return the code for such arguments, and whether other processes can use it."""
        code, lasts = compiler().entry_of(self._for_others, arguments)
        return code, lasts

    # Made without a lock that compiling needs: Numba may ask for the second one while it compiles in another thread.
    @cached_property
    def by_numba(self) -> Any:
        """The function as Numba itself compiles and calls it: a call costs a microsecond, the first one seconds."""
        folder = cache_directory() if self._is_kept else None
        return compiler().by_numba(self.py_func, folder=folder, **self._options)

    @cached_property
    def _for_others(self) -> Any:
        return compiler().for_others(self.py_func, self._file, **self._options)

    @property
    def _numba_type_(self) -> Any:
        """What Numba takes this for inside other kernels."""
        return self._for_others._numba_type_

    @cached_property
    def _is_kept(self) -> bool:
        return self.py_func.__closure__ is None and is_kept(Path(self.py_func.__code__.co_filename).resolve())

    def _file(self, title: str, suffix: str) -> Path | None:
        """Return where what `title` says is kept; None if this kernel is not kept."""
        if not self._is_kept:
            return None
        name = f"{self.py_func.__module__}.{self.py_func.__qualname__}"
        return cache_directory() / f"{name}-{hashlib.sha256(title.encode()).hexdigest()[:16]}.{suffix}"


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` to machine code at its first call, without the GIL, kept across processes.

    Division by zero gives inf or nan as in NumPy. Never `fastmath`: a kernel that decides must give the same bits in
    every process. `kernel.py_func` is the plain Python function, the oracle in tests.
    """
    return _made(function, counts_references=True)


def inner_kernel(function: Callable[..., Any]) -> Any:
    """Compile as `kernel` does a function that neither makes nor returns arrays, to be called from other kernels.

    Its arrays are kept alive by whoever called the outermost kernel, so no references are counted: with the thirty
    arrays of a market and an account that counting would cost more than the work itself.
    """
    return _made(function, counts_references=False)


def inlined_kernel(function: Callable[..., Any]) -> Any:
    """Compile as `inner_kernel` does a function that becomes a part of each kernel that calls it.

    For what is called in one or two places with a whole account: putting fifty numbers on the stack and taking them
    back costs more than most of what is done with them.
    """
    return _made(function, counts_references=False, is_inlined=True)


def _made(function: Callable[..., Any], **options: bool) -> Any:
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        return function
    if os.environ.get("BANYAN_KERNELS") == "numba":
        return compiler().by_numba(function, folder=None, **options)
    if function.__module__.startswith(_CALLED_OFTEN):
        return compiler().by_numba(function, folder=cache_directory(), **options)
    return Kernel(function, **options)


def often(function: Any) -> Any:
    """Return a kernel as it is called for each bar anew: Numba's own way in, which has to be compiled and imported."""
    return function.by_numba if isinstance(function, Kernel) else function


def seconds_compiling() -> float:
    """Return the seconds that this process has waited for machine code so far: compiled here, elsewhere, or loaded."""
    return _spent[0]


def running_seconds() -> float:
    """Return the seconds of a clock that stands still while this process waits for machine code."""
    return perf_counter() - _spent[0]


def before_compiling(action: Callable[[], None]) -> None:
    """Call `action` once, before this process first compiles anything; at once, where it has."""
    with _importing:
        if _compiler:
            action()
        else:
            _before_compiling.append(action)


def compiler() -> Any:
    """Return `trading.compiling`, imported now and not before."""
    with _importing:
        if not _compiler:
            from trading import compiling

            _compiler.append(compiling)
            for action in _before_compiling:
                action()
        return _compiler[0]
