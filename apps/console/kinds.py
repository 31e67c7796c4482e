"""What an act is: everything that a person changes in the console is one of these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from django.http import QueryDict

from apps.console.access import OPERATE
from apps.console.recording import Facts

Given = Mapping[str, str]
Done = tuple[str, Facts]


class NothingChangesError(ValueError):
    """What was asked for is so already; the message says what."""

    exit_code = 2


class Danger(IntEnum):
    """What an act asks for before it is done."""

    NONE = 0
    """Nothing but the button: it can be undone, and harms nobody meanwhile."""
    SOME = 1
    """A reason."""
    GREAT = 2
    """A reason, and a typed word."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An act: `about` names its parameters; `effect` says what it would do, line by line, counted.

    `effect` raises NothingChangesError where that is nothing, and other errors that are explained to who asks.

    `before` tells how that stands which it changes; `do` does it for a reason, under an id that makes asking twice one
    act, and returns what was done and how it stands then.
    """

    name: str
    title: str
    button: str
    danger: Danger
    effect: Callable[[Given], list[str]]
    before: Callable[[Given], Facts]
    do: Callable[[Given, str, str], Done]
    about: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()
    """Those of `about` that name what it is about; (): all of them."""
    word: str = ""
    permission: str = OPERATE
    asks_who: bool = False
    """Whether whoever does it has to have proved who they are within the last minutes."""

    def given(self, query: QueryDict) -> dict[str, str]:
        """Return the act's parameters. Raises KeyError for one that is missing."""
        return {name: str(query[name]) for name in self.about}

    def subject(self, given: Given) -> str:
        """Return in words what it is about."""
        return " ".join(filter(None, (given[name] for name in self.named_by or self.about)))
