"""Typed, bounded and documented parameters of strategies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


class StrategyParameterError(ValueError):
    """A parameter that the strategy does not have, or a value that it does not take."""

    exit_code = 2  # of a command: wrong usage


@dataclass(frozen=True, init=False)
class Int:
    """A whole number from `low` to `high`, both included; `sweep` holds the values worth trying."""

    name: str
    default: int
    low: int
    high: int
    sweep: tuple[int, ...]
    doc: str
    choices: ClassVar[None] = None

    def __init__(self, name: str, default: int, *, low: int, high: int, sweep: Iterable[int] = (), doc: str) -> None:
        _assign(self, name=name, default=default, low=low, high=high, sweep=tuple(sweep), doc=doc)
        _check_declaration(self)

    def value(self, given: Any) -> int:
        """Return `given` as the int that the strategy takes; a float must be whole.

        Raises StrategyParameterError for another type or a value out of bounds.
        """
        whole = int(given) if isinstance(given, float) and given.is_integer() else given
        if isinstance(whole, bool) or not isinstance(whole, int | np.integer):
            raise StrategyParameterError(f"{self.name}={given!r} is not a whole number ({self.range_text()})")
        return int(_within(self, int(whole)))

    def parse(self, text: str) -> int:
        """Return the value written as `text`, checked."""
        try:
            return self.value(int(text))
        except StrategyParameterError:
            raise
        except ValueError:
            raise StrategyParameterError(f"{self.name}={text} is not a whole number ({self.range_text()})") from None

    def range_text(self) -> str:
        """Return the allowed values as one short text."""
        return f"{self.low} to {self.high}"


@dataclass(frozen=True, init=False)
class Float:
    """A number from `low` to `high`, both included; `sweep` holds the values worth trying."""

    name: str
    default: float
    low: float
    high: float
    sweep: tuple[float, ...]
    doc: str
    choices: ClassVar[None] = None

    def __init__(
        self, name: str, default: float, *, low: float, high: float, sweep: Iterable[float] = (), doc: str
    ) -> None:
        numbers = tuple(float(each) for each in sweep)
        _assign(self, name=name, default=float(default), low=float(low), high=float(high), sweep=numbers, doc=doc)
        _check_declaration(self)

    def value(self, given: Any) -> float:
        """Return `given` as the float that the strategy takes.

        Raises StrategyParameterError for another type or a value out of bounds.
        """
        if isinstance(given, bool) or not isinstance(given, int | float | np.integer | np.floating):
            raise StrategyParameterError(f"{self.name}={given!r} is not a number ({self.range_text()})")
        return float(_within(self, float(given)))

    def parse(self, text: str) -> float:
        """Return the value written as `text`, checked."""
        try:
            number = float(text)
        except ValueError:
            raise StrategyParameterError(f"{self.name}={text} is not a number ({self.range_text()})") from None
        return self.value(number)

    def range_text(self) -> str:
        """Return the allowed values as one short text."""
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, init=False)
class Choice:
    """One of a few words; the strategy gets its index in `choices`."""

    name: str
    default: str
    choices: tuple[str, ...]
    sweep: tuple[str, ...]
    doc: str
    low: ClassVar[None] = None
    high: ClassVar[None] = None

    def __init__(self, name: str, default: str, choices: Iterable[str], *, sweep: Iterable[str] = (), doc: str) -> None:
        _assign(self, name=name, default=default, choices=tuple(choices), sweep=tuple(sweep), doc=doc)
        _check_declaration(self)

    def value(self, given: Any) -> int:
        """Return the index of the word `given`; an index is taken as it is.

        Raises StrategyParameterError for anything else.
        """
        if isinstance(given, str) and given in self.choices:
            return self.choices.index(given)
        if isinstance(given, int | np.integer) and not isinstance(given, bool) and 0 <= int(given) < len(self.choices):
            return int(given)
        raise StrategyParameterError(f"{self.name}={given} is not one of {self.range_text()}")

    def parse(self, text: str) -> str:
        """Return the word `text`, checked."""
        return self.choices[self.value(text)]

    def range_text(self) -> str:
        """Return the allowed values as one short text."""
        return ", ".join(self.choices)


Parameter = Int | Float | Choice


def _assign(parameter: Parameter, **fields: Any) -> None:
    for name, value in fields.items():
        object.__setattr__(parameter, name, value)


def _check_declaration(parameter: Parameter) -> None:
    for value in (parameter.default, *parameter.sweep):
        parameter.value(value)


def _within(parameter: Int | Float, number: float) -> float:
    if not parameter.low <= number <= parameter.high:
        raise StrategyParameterError(f"{parameter.name}={number:g} is out of bounds ({parameter.range_text()})")
    return number
