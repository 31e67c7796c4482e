"""One compiled loop for each strategy: the loop's own code with the strategy's `on_bar` in it.

Numba inlines the strategy into the loop, which a call through a pointer would not, and finds the compiled loop in its
cache by a name that holds the hash of the strategy's file.
"""

from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

from trading.compiled import kernel


@lru_cache(maxsize=256)
def specialise(loop: Callable[..., Any], on_bar: Any, name: str) -> Any:
    """Return `loop` (a function whose module has a stand-in named `on_bar`) compiled around a strategy's `on_bar`.

    `name` tells the strategy and the version of its code from all others.
    """
    if not isinstance(loop, FunctionType):
        raise TypeError(f"{loop!r} is compiled already: a loop to be specialised is a plain function")
    name = f"{loop.__name__}__{name}"
    copy = FunctionType(loop.__code__, {**loop.__globals__, "on_bar": on_bar}, name)
    copy.__qualname__ = name
    copy.__module__ = loop.__module__
    return kernel(copy)
