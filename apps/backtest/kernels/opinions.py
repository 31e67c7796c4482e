"""What `on_bar` may return, a weight or a Target, and the lists on which its changes are kept.

A list is an array with room for all: float64 for strategies that are declared to return a weight, TARGET_DTYPE for all
others.
"""

from typing import Any

import numpy as np

from trading.compiled import before_compiling, inner_kernel
from trading.orders import differs
from trading.targets import GTC, MARKET, WEIGHT, Target

_KINDS = ("mode", "entry", "time_in_force", "expires", "version")
_FIELDS = np.dtype([(name, np.int64 if name in _KINDS else np.float64) for name in Target._fields], align=True)
TARGET_DTYPE = np.dtype((np.record, _FIELDS))
"""The fields of `trading.targets.Target`; as `record`, so that plain Python finds them where compiled code does."""


def as_target(opinion: Any) -> Target:
    """Return the opinion as a Target: a number is a weight, entered at market."""
    if isinstance(opinion, Target):
        return opinion
    return Target(opinion, WEIGHT, MARKET, np.nan, np.nan, np.nan, np.nan, np.nan, GTC, 0, 0)


def target_at(wanted: Any, k: int) -> Target:
    """Return element k of a list as a Target."""
    if wanted.dtype.names is None:
        return as_target(wanted[k])
    return _recorded(wanted[k])


def is_other(wanted: Any, count: int, opinion: Any) -> bool:
    """Tell whether an opinion is another than the last of the `count` on the list; nan is no weight at all."""
    if wanted.dtype.names is None:
        return bool(opinion == opinion and (count == 0 or opinion != wanted[count - 1]))
    return bool(count == 0 or _is_other_target(wanted[count - 1], as_target(opinion)))


def put(wanted: Any, k: int, opinion: Any) -> None:
    """Make an opinion element k of a list."""
    if wanted.dtype.names is None:
        wanted[k] = opinion
    else:
        _record(wanted[k], as_target(opinion))


@inner_kernel
def _recorded(row: Any) -> Target:
    return Target(
        row.value, row.mode, row.entry, row.price, row.limit_price, row.stop_loss, row.take_profit, row.trail,
        row.time_in_force, row.expires, row.version,
    )  # fmt: skip


@inner_kernel
def _is_other_target(row: Any, target: Target) -> bool:
    return bool(
        differs(target.value, row.value)
        or target.mode != row.mode
        or target.entry != row.entry
        or differs(target.price, row.price)
        or differs(target.limit_price, row.limit_price)
        or differs(target.stop_loss, row.stop_loss)
        or differs(target.take_profit, row.take_profit)
        or differs(target.trail, row.trail)
        or target.time_in_force != row.time_in_force
        or target.expires != row.expires
        or target.version != row.version
    )


@inner_kernel
def _record(row: Any, target: Target) -> None:
    row.value = target.value
    row.mode = target.mode
    row.entry = target.entry
    row.price = target.price
    row.limit_price = target.limit_price
    row.stop_loss = target.stop_loss
    row.take_profit = target.take_profit
    row.trail = target.trail
    row.time_in_force = target.time_in_force
    row.expires = target.expires
    row.version = target.version


@before_compiling
def _teach_numba() -> None:
    from numba import types
    from numba.extending import overload

    # Numba compares these signatures with those of the lambdas, so they carry no annotations.
    @overload(as_target)
    def compile_as_target(opinion):  # type: ignore[no-untyped-def]
        if isinstance(opinion, types.BaseNamedTuple):
            return lambda opinion: opinion
        return lambda opinion: Target(float(opinion), WEIGHT, MARKET, np.nan, np.nan, np.nan, np.nan, np.nan, GTC, 0, 0)

    @overload(target_at)
    def compile_target_at(wanted, k):  # type: ignore[no-untyped-def]
        if isinstance(wanted.dtype, types.Record):
            return lambda wanted, k: _recorded(wanted[k])
        return lambda wanted, k: as_target(wanted[k])

    @overload(is_other)
    def compile_is_other(wanted, count, opinion):  # type: ignore[no-untyped-def]
        if isinstance(wanted.dtype, types.Record):
            return lambda wanted, count, opinion: count == 0 or _is_other_target(wanted[count - 1], as_target(opinion))
        return lambda wanted, count, opinion: opinion == opinion and (count == 0 or opinion != wanted[count - 1])

    @overload(put)
    def compile_put(wanted, k, opinion):  # type: ignore[no-untyped-def]
        if isinstance(wanted.dtype, types.Record):
            return lambda wanted, k, opinion: _record(wanted[k], as_target(opinion))

        def put_number(wanted, k, opinion):  # type: ignore[no-untyped-def]
            wanted[k] = opinion

        return put_number
