"""Requests from outside: the id of the one that is answered, known wherever it leads, and what it asked of keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple


class Asked(NamedTuple):
    """A command to a key of a context, by its id."""

    context: str
    key: str
    id: str


_TRACE: ContextVar[str] = ContextVar("banyan_trace", default="")
_COMMANDS: ContextVar[dict[tuple[str, str], Asked] | None] = ContextVar("banyan_commands", default=None)


def current() -> str:
    """Return the id of the request that is answered, "" where there is none."""
    return _TRACE.get()


@contextmanager
def traced(trace: str) -> Iterator[None]:
    """Let what is done within go back to the request of this id."""
    token = _TRACE.set(trace)
    try:
        yield
    finally:
        _TRACE.reset(token)


@contextmanager
def collected() -> Iterator[dict[tuple[str, str], Asked]]:
    """Give the commands that are asked within, by (context, key): of those to one key the first."""
    found: dict[tuple[str, str], Asked] = {}
    token = _COMMANDS.set(found)
    try:
        yield found
    finally:
        _COMMANDS.reset(token)


def note(context: str, key: str, command_id: str) -> None:
    """Say that a command is asked of a key."""
    found = _COMMANDS.get()
    if found is not None:
        found.setdefault((context, key), Asked(context, key, command_id))
