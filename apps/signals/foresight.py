"""Signs that a strategy knows what it cannot know."""

from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from apps.signals.declaration import Strategy
from trading.bars import Floats

_SMALL = 64


def large_globals(strategy: Strategy) -> Iterator[tuple[str, int]]:
    """Yield name and size of every array or container of more than 64 values that the strategy's functions reach.

    Constants of a formula are small; what is larger is data, and a strategy gets data as bars, in their time.
    """
    seen: set[int] = set()
    for function in _functions(strategy):
        yield from _reached(function, strategy.module, seen)


def foresight(values: Floats, close: Floats) -> float:
    """Return the t statistic of the mean of opinion times the return of the bar after it, over all channels.

    `values` and `close` have the shape (bars, channels); a bar without an opinion keeps the last one.
    """
    held = _carried_forward(values)[:-1]
    gains = np.nansum(held * np.diff(np.log(close), axis=0), axis=1)
    deviation = gains.std()
    return float(gains.mean() / deviation * np.sqrt(gains.size)) if deviation > 0.0 else 0.0


def _functions(strategy: Strategy) -> list[FunctionType]:
    if strategy.kind == "kernel":
        return [getattr(strategy.on_bar, "py_func", strategy.on_bar)]
    body = type(strategy.init(strategy.bind(), strategy.channels or 1))
    return [member for member in vars(body).values() if isinstance(member, FunctionType)]


def _reached(function: FunctionType, module: str, seen: set[int]) -> Iterator[tuple[str, int]]:
    if id(function) in seen:
        return
    seen.add(id(function))
    closed_over = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    reached = {name: cell.cell_contents for name, cell in closed_over.items()}
    reached |= {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    for name, value in reached.items():
        plain = getattr(value, "py_func", value)
        if isinstance(plain, FunctionType):
            if plain.__module__ == module:
                yield from _reached(plain, module, seen)
        elif not isinstance(value, type | str) and (size := _size(value)) > _SMALL:
            yield name, size


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


def _size(value: Any) -> int:
    size = getattr(value, "size", None)
    if isinstance(size, int):
        return size
    return len(value) if hasattr(value, "__len__") else 0


def _carried_forward(values: Floats) -> Floats:
    known = ~np.isnan(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], -1), axis=0)
    carried = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    return np.where(last >= 0, carried, 0.0)
