"""Errors of strategies, told with the strategy's own file and line."""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StrategyError(ValueError):
    """A strategy that cannot be loaded or compiled, or that raised; the message begins with its file and line."""


_LOCATION = re.compile(r'File "([^"]+)", line (\d+)')
_NOISE = re.compile(
    r"^(Failed in \w+ mode pipeline.*|There are \d+ candidate.*|- .*|During: .*|Overload of function.*|"
    r"File \".*|raised from .*|This error may have been caused.*|.*Rejected as the implementation.*|>>> .*)$"
)


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
    if _is_numba_error(error):
        return _told_by_numba(str(error), source)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).resolve() == source:
            return f"{source}:{frame.lineno}: {type(error).__name__}: {error}"
    return None


def _is_numba_error(error: Exception) -> bool:
    return any(kind.__module__ == "numba.core.errors" for kind in type(error).__mro__)


def _told_by_numba(message: str, source: Path) -> str | None:
    """Return file, line and reason out of Numba's report, or None where it does not speak of `source`."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", message).splitlines()
    own = [
        (number, int(found[2]))
        for number, line in enumerate(lines)
        for found in [_LOCATION.search(line)]
        if found and Path(found[1]).resolve() == source
    ]
    if not own:
        return None
    at, line = own[-1]
    before = [text.strip() for text in lines[:at] if text.strip() and not _NOISE.match(text.strip())]
    return f"{source}:{line}: cannot be compiled: {before[-1] if before else lines[0]}"
