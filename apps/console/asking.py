"""The parts of a page, each asked for by itself: what cannot be asked is told in words, and the rest is shown."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import psycopg
from django.db import Error, InterfaceError, OperationalError

from banyan.databases import explain, forget_broken

T = TypeVar("T")
ERRORS: tuple[type[Exception], ...] = (Error, psycopg.Error)
"""What is raised by whom a page asks when its database is away: through Django, or by a connection of its own."""


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """What somebody said, or why nobody could be asked."""

    value: T | None
    problem: str = ""


class Asking:
    """Asks the sources of a page; one whose database is away is not asked again for the same page."""

    def __init__(self) -> None:
        self._away: dict[str, str] = {}

    @property
    def away(self) -> list[str]:
        """Which sources did not answer, in a sentence each."""
        return [f"{name.capitalize()} cannot be asked, so what it knows is missing here: {problem}"
                for name, problem in self._away.items()]  # fmt: skip

    def told(self, source: str, ask: Callable[[], T]) -> Told[T]:
        """Return what `source` (a context) answers, or why it does not."""
        if source in self._away:
            return Told(None, self._away[source])
        try:
            return Told(ask())
        except ERRORS as error:
            forget_broken()
            problem = why(error)
            self._away[source] = problem
            return Told(None, problem)

    def of(self, source: str, ask: Callable[[], T]) -> T | None:
        """Return what `source` answers; None where it does not, which `away` then tells of."""
        return self.told(source, ask).value


def why(problem: Exception) -> str:
    """Return in words why a database does not answer."""
    lines = str(problem).strip().splitlines()
    return explain(problem) or (lines[0] if lines else type(problem).__name__)


def is_away(problem: BaseException | None) -> bool:
    """Tell whether a database could not be used, as against a statement that is wrong."""
    if isinstance(problem, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError):
        return True
    return problem is not None and explain(problem) is not None
