"""What `on_bar` may return, made one: a weight or a Target."""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from trading.orders import is_new
from trading.targets import GTC, MARKET, WEIGHT, Target


def as_target(opinion: Any) -> Target:
    """Return the opinion as a Target: a number is a weight, entered at market."""
    if isinstance(opinion, Target):
        return opinion
    return Target(opinion, WEIGHT, MARKET, np.nan, np.nan, np.nan, np.nan, np.nan, GTC, 0, 0)


def is_new_opinion(book: Any, opinion: Any) -> bool:
    """Tell whether the opinion is another version than the last one that `book` saw."""
    if isinstance(opinion, Target):
        return bool(is_new(book, opinion))
    return bool(opinion == opinion and opinion != book["seen_value"])


# Numba compares these signatures with those of the lambdas, so they carry no annotations.
@overload(as_target)
def _compile_as_target(opinion):  # type: ignore[no-untyped-def]
    if isinstance(opinion, types.BaseNamedTuple):
        return lambda opinion: opinion
    return lambda opinion: Target(float(opinion), WEIGHT, MARKET, np.nan, np.nan, np.nan, np.nan, np.nan, GTC, 0, 0)


@overload(is_new_opinion)
def _compile_is_new_opinion(book, opinion):  # type: ignore[no-untyped-def]
    if isinstance(opinion, types.BaseNamedTuple):
        return lambda book, opinion: is_new(book, opinion)  # noqa: PLW0108  (Numba wants these names)
    return lambda book, opinion: opinion == opinion and opinion != book.seen_value
