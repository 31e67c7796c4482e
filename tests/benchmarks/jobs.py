"""What an engine hands over to be measured."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Facts = dict[str, Any]


class EngineMissingError(LookupError):
    """The engine, or a program it needs, is not installed."""


class WorkUnsupportedError(LookupError):
    """The engine has no way to do this work."""


@dataclass(frozen=True, slots=True)
class Case:
    """One work at one size: its name, the folder of its arrays, and its numbers."""

    work: str
    arrays: Path
    numbers: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.numbers[name]


class Job(NamedTuple):
    """A prepared work.

    `run` does all of it once, and is what is timed. `facts` says what its result found: "final_equity", "n_fills" and
    the like. `seconds`, where given, is the time that the result itself says its engine took. `gives` says what a
    result holds.
    """

    run: Callable[[], Any]
    facts: Callable[[Any], Facts]
    gives: str
    seconds: Callable[[Any], float] | None = None
