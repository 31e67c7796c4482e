"""Values as JSON has them, and in an order that means something."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return `value` as JSON has it: NumPy scalars as numbers, nan and infinity as None, tuples as lists."""
    if isinstance(value, dict):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def in_order(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return `values` in the order of `names`, others after them: PostgreSQL keeps an object's keys in its own."""
    return {name: values[name] for name in dict.fromkeys([*names, *values]) if name in values}
