"""Calling kept machine code without the compiler that made it.

A kernel's machine code is an entry of two arguments: the slots of its arguments, one of 8 bytes for each number and
each array, and the slots for what it returns. A NamedTuple or tuple is the slots of its fields. An array's slot is the
address of the NumPy object, whose data, shape and strides the entry reads itself. `trading.compiling` makes entries;
here they are put into files, taken out again, and called, which needs LLVM's linker but not Numba.
"""

import ctypes
import hashlib
import json
import os
import pickle
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, NoReturn

import llvmlite.binding as llvm
import numpy as np

if sys.platform != "win32":
    import fcntl

OBJECT_HEAD = object.__basicsize__
SLOT = 8

_MARK = b"banyan kernel 1\n"
_ARRAYS = frozenset((np.ndarray, np.recarray, np.memmap))
_NUMBERS = {float: "d", np.float64: "d", int: "q", np.int64: "q", np.uint64: "Q"}
_LEAST, _MOST = -(2**63), 2**63 - 1
_TRUTHS = frozenset((bool, np.bool_))
_C, _F, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400  # NumPy's flags
_LAYOUTS = {
    flags: ("C" if flags & _C else "F" if flags & _F else "A")
    + ("" if flags & _ALIGNED else " unaligned")
    + ("" if flags & _WRITEABLE else " readonly")
    for flags in (a | b | c for a in (0, _C, _F, _C | _F) for b in (0, _ALIGNED) for c in (0, _WRITEABLE))
}
_LAYOUT_FLAGS = _C | _F | _ALIGNED | _WRITEABLE

# All that entries may call: what the C library has under the same name on every system.
_IMPORTS = (
    *("memset", "memcpy", "memmove", "malloc", "free"),
    *("exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "pow", "sqrt", "cbrt", "hypot", "fmod", "ldexp"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("floor", "ceil", "trunc", "rint", "round", "nearbyint", "erf", "erfc", "tgamma", "lgamma", "copysign"),
)


class UnknownLayoutError(TypeError):
    """An argument that entries do not take."""


class Code(NamedTuple):
    """An entry: the name of its symbol, what it returns, and an object file.

    What it returns is None, a kind of number ("d", "q", "Q", "?"), or a list of such after the name of a tuple's class.
    No object file says that only Numba can call the kernel.
    """

    symbol: str
    returns: Any
    machine: bytes


NUMBAS = Code("", None, b"")


def take_apart(values: Sequence[Any], kinds: list[Any], slots: list[Any]) -> None:
    """Append what `values` are to `kinds`, and what their slots hold to `slots`. Raises UnknownLayoutError."""
    for value in values:
        kind = type(value)
        if kind in _ARRAYS:
            kinds.append((value.dtype, value.ndim, _LAYOUTS[value.flags.num & _LAYOUT_FLAGS]))
            slots.append(id(value))
        elif kind is int and not _LEAST <= value <= _MOST:
            raise UnknownLayoutError(f"{value} has more than 64 bits")
        elif kind in _NUMBERS:
            kinds.append(_NUMBERS[kind])
            slots.append(value)
        elif kind in _TRUTHS:
            kinds.append("?")
            slots.append(int(value))
        elif isinstance(value, tuple):
            kinds.append(kind)
            kinds.append(len(value))
            take_apart(value, kinds, slots)
        else:
            raise UnknownLayoutError(f"{kind.__name__} is no number, array or tuple of such")


def text_of(kinds: Sequence[Any]) -> str:
    """Return `kinds` as text that is the same in every process."""
    return " ".join(map(_text_of_one, kinds))


def _text_of_one(kind: Any) -> str:
    if isinstance(kind, tuple):
        dtype, dimensions, layout = kind
        return f"[{_text_of_dtype(dtype)} {dimensions} {layout}]"
    return text_of_class(kind) if isinstance(kind, type) else str(kind)


def text_of_class(kind: type) -> str:
    """Return the name of a tuple's class with those of its fields, whose order is compiled into what takes it."""
    return f"{kind.__module__}.{kind.__qualname__}({','.join(getattr(kind, '_fields', ()))})"


@lru_cache(maxsize=256)
def _text_of_dtype(dtype: Any) -> str:
    if dtype.fields is None:
        return str(dtype.str)
    fields = (f"{name}:{_text_of_dtype(dtype.fields[name][0])}@{dtype.fields[name][1]}" for name in dtype.names)
    return f"{{{' '.join(fields)}}}{dtype.itemsize}/{dtype.alignment}"


def load(path: Path, title: str) -> Code | None:
    """Return what `path` keeps under `title`; None where there is none, or it is not what was written."""
    body = read_whole(path)
    if body is None:
        return None
    head, _, machine = body.partition(b"\n")
    known, symbol, returns = json.loads(head)
    return Code(symbol, returns, machine) if known == title else None


def write(path: Path, title: str, code: Code) -> None:
    """Put code where `load` finds it under `title`, whole or, where nothing can be written, not at all."""
    head = json.dumps((title, code.symbol, code.returns))
    write_whole(path, head.encode() + b"\n" + code.machine)


def read_whole(path: Path) -> bytes | None:
    """Return what `write_whole` wrote into the file `path`; None where there is no such file, or it has changed."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    start = len(_MARK) + hashlib.sha256().digest_size
    body = content[start:]
    return body if content[:start] == _MARK + hashlib.sha256(body).digest() else None


def write_whole(path: Path, body: bytes) -> None:
    """Put `body` into the file `path`, whole or, where that cannot be written, not at all."""
    part = path.with_name(f".{os.urandom(8).hex()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(_MARK + hashlib.sha256(body).digest() + body)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError:
        return


@lru_cache(maxsize=1)
def reads_arrays() -> bool:
    """Tell whether this interpreter's NumPy arrays are laid out as entries read them."""
    probe = np.empty((3, 5))[:, ::2]
    known = (probe.__array_interface__["data"][0], probe.ndim, *probe.shape, *probe.strides)
    data, axes, shape, strides = (ctypes.c_uint64 * 4).from_address(id(probe) + OBJECT_HEAD)
    if data != known[0] or axes & 0xFFFFFFFF != known[1]:
        return False
    return (*_pair(shape), *_pair(strides)) == known[2:]


def address_of(array: Any) -> int:
    """Return where an array's data begin in memory; several times as fast as NumPy tells it."""
    if not reads_arrays():
        return int(array.__array_interface__["data"][0])
    return ctypes.c_uint64.from_address(id(array) + OBJECT_HEAD).value


def _pair(address: int) -> tuple[int, int]:
    first, second = (ctypes.c_int64 * 2).from_address(address)
    return first, second


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process makes the file `path`, and keep them waiting; a process that ends waits for nobody.

    Where files cannot be locked two may make the same file: the later one replaces the earlier.
    """
    if sys.platform == "win32":
        yield
        return
    place = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:4], "big")
    with suppress(OSError):
        fcntl.lockf(_lock_file(path.parent), fcntl.LOCK_EX, 1, place)
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.lockf(_lock_file(path.parent), fcntl.LOCK_UN, 1, place)


@lru_cache(maxsize=8)
def _lock_file(folder: Path) -> int:
    # Never closed: that would give up every lock of the process on it.
    folder.mkdir(parents=True, exist_ok=True)
    return os.open(folder / "compiling.lock", os.O_RDWR | os.O_CREAT, 0o666)


class Entry:
    """Machine code that is linked into this process, to be called with slots."""

    def __init__(self, code: Code, kinds: Sequence[Any]) -> None:
        """Link `code`, for arguments of `kinds`. Raises RuntimeError for code that `is_linkable` refuses."""
        self._library = _linked(code)  # the code is there as long as this is
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p, ctypes.c_void_p)
        self._function = prototype(self._library[code.symbol])
        self._pack = struct.Struct("=" + "".join(_slot_formats(kinds))).pack
        returned = list(_numbers_in(code.returns))
        self._returned = ctypes.c_uint64 * max(1, len(returned))
        self._unpack = struct.Struct("=" + "".join("?7x" if kind == "?" else kind for kind in returned)).unpack_from
        self._returns = code.returns

    def __call__(self, slots: Sequence[Any]) -> Any:
        """Call it, without the GIL. Raises what the kernel raises."""
        returned = self._returned()
        status = self._function(self._pack(*slots), returned)
        if status != 0:
            _raise(status, returned[0])
        if self._returns is None:
            return None
        values = self._unpack(returned)
        return values[0] if isinstance(self._returns, str) else _put_together(self._returns, iter(values))


def _slot_formats(kinds: Sequence[Any]) -> Iterator[str]:
    for kind in kinds:
        if isinstance(kind, str):
            yield "q" if kind == "?" else kind
        elif isinstance(kind, tuple):
            yield "Q"


def _numbers_in(returns: Any) -> Iterator[str]:
    if isinstance(returns, str):
        yield returns
    elif returns is not None:
        for part in returns[1:]:
            yield from _numbers_in(part)


def _put_together(returns: Any, values: Iterator[Any]) -> Any:
    if isinstance(returns, str):
        return next(values)
    module, _, name = returns[0].rpartition(":")
    parts = tuple(_put_together(part, values) for part in returns[1:])
    return getattr(import_module(module), name)(*parts) if module else parts


_linking = Lock()
_linked_so_far = count()


@lru_cache(maxsize=1)
def _linker() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.create_lljit_compiler(suppress_errors=True)


@lru_cache(maxsize=1)
def _imports() -> dict[str, int]:
    found = {name: llvm.address_of_symbol(name) for name in _IMPORTS}
    return {name: address for name, address in found.items() if address}


def is_linkable(code: Code) -> bool:
    """Tell whether code needs nothing but what every process has."""
    try:
        _linked(code)
    except RuntimeError:
        return False
    return True


def _linked(code: Code) -> Any:
    library = llvm.JITLibraryBuilder().add_object_img(code.machine).export_symbol(code.symbol)
    with _linking:
        for name, address in _imports().items():
            library.import_symbol(name, address)
        return library.link(_linker(), f"kernel{next(_linked_so_far)}")


class _Raised(ctypes.Structure):
    """What a kernel leaves that has raised: the pickled class, arguments and place of its exception."""

    _fields_ = (("pickled", ctypes.c_void_p), ("size", ctypes.c_int32))


def _raise(status: int, address: int) -> NoReturn:
    if status < 0 or not address:
        raise SystemError(f"a kernel has ended with status {status}")
    raised = _Raised.from_address(address)
    kind, arguments, place = pickle.loads(ctypes.string_at(raised.pickled, raised.size))  # noqa: S301  (our own code's)
    error = kind(*arguments)
    if place is None:
        raise error
    function, file, line = place
    # A frame that says where it was raised, which is what a reader of the traceback looks for.
    code = compile("\n" * (line - 1) + "raise error", file, "exec").replace(co_name=function)
    exec(code, {"error": error})  # noqa: S102
    raise AssertionError("unreachable")
