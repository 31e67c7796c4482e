"""Errors of strategies, told with the strategy's own file and line."""

import ast
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar


class SetError(ValueError):
    """A strategy set cannot be what was asked: the message says which, what is wrong and what to do."""

    exit_code: ClassVar = 2


class StrategyError(ValueError):
    """A strategy that cannot be loaded or compiled, or that raised; the message begins with its file and line."""


_LOCATION = re.compile(r'File "([^"]+)", line (\d+)')
_SIGNATURE = re.compile(r">>> (.+)")
_NAME = re.compile(r"(name|attribute) '(\w+)'")


@contextmanager
def strategy_errors(source: Path) -> Iterator[None]:
    """Turn what goes wrong in the strategy file `source` into a StrategyError; let every other exception pass."""
    try:
        yield
    except StrategyError:
        raise
    except Exception as error:
        told = _told(error, source.resolve())
        if told is None:
            raise
        raise StrategyError(told) from error


def _told(error: Exception, source: Path) -> str | None:
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == source:
        return f"{source}:{error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    if any(kind.__module__ == "numba.core.errors" for kind in type(error).__mro__):
        return _told_by_numba(re.sub(r"\x1b\[[0-9;]*m", "", str(error)), source)
    for frame in reversed(frames):
        if Path(frame.filename).resolve() == source:
            return f"{source}:{frame.lineno}: {type(error).__name__}: {error}"
    if any("/numba/core/typ" in frame.filename.replace("\\", "/") for frame in frames):
        return _told_by_name(f"{type(error).__name__}: {error}", source)
    return None


def _told_by_numba(message: str, source: Path) -> str | None:
    """Return file, line and reason out of Numba's report, or None where it does not speak of `source`.

    The report begins with the innermost cause, and goes outwards from one location to the next.
    """
    reason = next((line for line in message.splitlines() if line and not line.startswith("Failed in")), message)
    signature = _SIGNATURE.search(message)
    if reason.endswith("signature:") and signature:
        reason = f"{reason.removesuffix(' found for signature:')}: {signature[1]}"
    for path, line in _LOCATION.findall(message):
        if Path(path).resolve() == source:
            return f"{source}:{line}: cannot be compiled: {reason}"
    return _told_by_name(reason, source)


def _told_by_name(reason: str, source: Path) -> str | None:
    """Return where `source` uses the name that `reason` complains of, and the reason; None where it does not."""
    named = _NAME.search(reason)
    if named is None:
        return None
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and named.groups() == ("name", node.id):
            return f"{source}:{node.lineno}: cannot be compiled: {reason}"
        if isinstance(node, ast.Attribute) and named.groups() == ("attribute", node.attr):
            return f"{source}:{node.lineno}: cannot be compiled: {reason}"
    return None
