"""What a strategy's code is: its file, and the files of whatever it calls that can change under it."""

import hashlib
import site
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from trading.compiled import ROOT, is_kept

_INSTALLED = tuple(
    Path(place).resolve()
    for place in {sysconfig.get_path("stdlib"), sys.prefix, *site.getsitepackages(), *sysconfig.get_paths().values()}
    if Path(place).resolve() not in (ROOT, *ROOT.parents)
)


def code_hash(body: Any, source: Path) -> str:
    """Return 16 hex digits over `source`, where `body` is declared, and all files of functions that it reaches.

    Left out is what comes with Python or an installed package, and Banyan's own arithmetic: the directory of compiled
    code is named after that.
    """
    digest = hashlib.sha256(source.read_bytes())
    for path in sorted(_reached(body, {source.resolve()})):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _reached(body: Any, known: set[Path]) -> set[Path]:
    found: set[Path] = set()
    seen: set[int] = set()
    waiting = [body]
    while waiting:
        each = waiting.pop()
        each = getattr(each, "py_func", each)
        if id(each) in seen:
            continue
        seen.add(id(each))
        path = _file_of(each)
        if path is None:
            continue
        if path not in known:
            found.add(path)
        waiting.extend(_named_in(each))
    return found


def _file_of(thing: Any) -> Path | None:
    """Return the file of a function, class or module that can change, else None."""
    if isinstance(thing, FunctionType):
        name: str | None = thing.__code__.co_filename
    elif isinstance(thing, ModuleType):
        name = getattr(thing, "__file__", None)
    elif isinstance(thing, type):
        name = getattr(sys.modules.get(thing.__module__), "__file__", None)
    else:
        return None
    if not name or not Path(name).is_file():
        return None
    path = Path(name).resolve()
    if is_kept(path) or any(path.is_relative_to(place) for place in _INSTALLED):
        return None
    return path


def _named_in(thing: Any) -> Iterator[Any]:
    """Yield what the code of a function, or of a class's methods, names among its globals."""
    if isinstance(thing, type):
        yield from (value for value in vars(thing).values() if isinstance(value, FunctionType))
    if isinstance(thing, FunctionType):
        names = set(_names(thing.__code__))
        for name in names & thing.__globals__.keys():
            value = thing.__globals__[name]
            yield value
            if isinstance(value, ModuleType) and _file_of(value) is not None:
                yield from (getattr(value, each) for each in names if hasattr(value, each))
        for cell in thing.__closure__ or ():
            yield cell.cell_contents


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
