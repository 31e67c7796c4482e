"""Grids, ranges and spans of time as they are typed."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

GRID_MAX = 5_000_000


class GridError(ValueError):
    """A grid, range or span that cannot be read; the message says how it is written."""

    exit_code = 2  # of a command: wrong usage


@dataclass(frozen=True, slots=True)
class Span:
    """A length of calendar time: months and days."""

    months: int
    days: int

    def __add__(self, other: "Span") -> "Span":
        return Span(self.months + other.months, self.days + other.days)

    def times(self, count: int) -> "Span":
        """Return `count` such spans, one after the other."""
        return Span(self.months * count, self.days * count)

    def after(self, moment: np.datetime64) -> np.datetime64:
        """Return `moment` plus this span; a day that the month does not have becomes its last."""
        if not self.months:
            return moment + np.timedelta64(self.days, "D")
        month = moment.astype("datetime64[M]") + self.months
        rest = moment - moment.astype("datetime64[M]").astype(moment.dtype)
        last = (month + 1).astype(moment.dtype) - np.timedelta64(1, "D")
        within_day = rest - rest.astype("timedelta64[D]").astype(rest.dtype)
        return min(month.astype(moment.dtype) + rest, last + within_day) + np.timedelta64(self.days, "D")


_SPAN = re.compile(r"(\d+)\s*(y|mo|w|d)", re.IGNORECASE)


def parse_span(text: str) -> Span:
    """Return the span written as "2y", "6mo", "3w", "10d" or a row of those such as "1y6mo". Raises GridError."""
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != re.sub(r"\s", "", text):
        raise GridError(f"{text!r} is no span of time: write 2y, 6mo, 3w or 10d")
    months = days = 0
    for number, unit in ((int(number), unit.lower()) for number, unit in parts):
        months += {"y": 12, "mo": 1}.get(unit, 0) * number
        days += {"w": 7, "d": 1}.get(unit, 0) * number
    if not months and not days:
        raise GridError(f"{text!r}: the span must be longer than nothing")
    return Span(months, days)


def parse_assignments(given: list[str], what: str) -> dict[str, str]:
    """Return {name: text} of arguments such as "fast=20". Raises GridError for one that is not, or a name twice."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or not name or not value.strip():
            raise GridError(f"--{what} {text}: write --{what} name=value")
        if name in found:
            raise GridError(f"--{what} {text}: {name} was given twice")
        found[name] = value.strip()
    return found


def parse_grid(strategy: Any, given: list[str]) -> dict[str, list[Any]]:
    """Return the values to try of each parameter, from "fast=5:25:1", "slow=30,50,80", "side" (its declared values).

    A start:stop:step runs as Python's `range` does: from start, stop left out. Without any grid every parameter that
    declares values worth trying is swept over those. Raises GridError, or the strategy's error for a value that it
    does not take.
    """
    declared = {each.name: each for each in strategy.parameters}
    if not given:
        grid = {name: list(each.sweep) for name, each in declared.items() if len(each.sweep) > 1}
        if not grid:
            raise GridError(f"{strategy.name} declares no values to sweep: give --grid name=start:stop:step")
        return grid
    bare = [text for text in given if "=" not in text]
    for name in bare:
        if name not in declared:
            strategy.parse(name, "")
        if not declared[name].sweep:
            raise GridError(f"--grid {name}: {strategy.name} declares no values for it; write {name}=start:stop:step")
    written = parse_assignments([text for text in given if "=" in text], "grid")
    grid = {name: list(declared[name].sweep) for name in bare}
    grid |= {name: [strategy.parse(name, each) for each in _texts(name, text)] for name, text in written.items()}
    if (count := size(grid)) > GRID_MAX:
        raise GridError(f"the grid has {count:,} combinations, more than {GRID_MAX:,}: take larger steps")
    return grid


def parse_ranges(strategy: Any, given: list[str]) -> dict[str, tuple[Any, Any]]:
    """Return (lowest, highest), both included, of each parameter written as "fast=5:50". Raises GridError."""
    ranges = {}
    for name, text in parse_assignments(given, "range").items():
        ends = text.split(":")
        if len(ends) != 2:
            raise GridError(f"--range {name}={text}: write {name}=lowest:highest (both are tried)")
        low, high = (strategy.parse(name, end) for end in ends)
        if isinstance(low, str) or not low < high:
            raise GridError(f"--range {name}={text}: the lowest must be a number under the highest")
        ranges[name] = (low, high)
    return ranges


def size(grid: dict[str, list[Any]]) -> int:
    """Return how many combinations the grid has."""
    count = 1
    for values in grid.values():
        count *= len(values)
    return count


def combination(grid: dict[str, list[Any]], number: int) -> dict[str, Any]:
    """Return combination `number` of the grid, the last parameter running fastest."""
    chosen = {}
    for name, values in reversed(grid.items()):
        number, index = divmod(number, len(values))
        chosen[name] = values[index]
    return dict(reversed(chosen.items()))


def _texts(name: str, text: str) -> list[str]:
    if ":" not in text:
        texts = [each.strip() for each in text.split(",")]
        if "" in texts or len(set(texts)) != len(texts):
            raise GridError(f"--grid {name}={text}: write each value once, with commas between them")
        return texts
    try:
        numbers = [Decimal(each) for each in text.split(":")]
        start, stop, step = numbers if len(numbers) == 3 else (*numbers, Decimal(1))
    except (InvalidOperation, ValueError):
        raise GridError(f"--grid {name}={text}: write start:stop:step, or values with commas between them") from None
    if not all(each.is_finite() for each in numbers) or step <= 0 or not start < stop:
        raise GridError(f"--grid {name}={text}: start must be under stop, and the step above 0")
    whole, rest = divmod(stop - start, step)
    count = int(whole) + bool(rest)
    if count > GRID_MAX:
        raise GridError(f"--grid {name}={text}: that is {count:,} values; take a larger step")
    return [f"{start + number * step:f}" for number in range(count)]
