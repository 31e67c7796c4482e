"""Which level's limit or trading state counts."""

from typing import Any

from apps.risk.kernels.records import ACCOUNT, ACCOUNT_INSTRUMENT, GLOBAL, INSTRUMENT, SET
from trading.compiled import inner_kernel

UNSET = -1


@inner_kernel
def account_bound(limits: Any, field: int, account_limits: int) -> tuple[int, int]:
    """Return the bound on a whole account and its level; -1 where there is none."""
    if account_limits >= 0 and limits[account_limits, field] != UNSET:
        return limits[account_limits, field], ACCOUNT
    return limits[0, field], GLOBAL


@inner_kernel
def order_bound(
    limits: Any, field: int, account_limits: int, instrument_limits: int, cell_limits: int
) -> tuple[int, int]:
    """Return the bound on orders of an account in an instrument and its level; -1 where there is none."""
    if cell_limits >= 0 and limits[cell_limits, field] != UNSET:
        return limits[cell_limits, field], ACCOUNT_INSTRUMENT
    if instrument_limits >= 0 and limits[instrument_limits, field] != UNSET:
        return limits[instrument_limits, field], INSTRUMENT
    return account_bound(limits, field, account_limits)


@inner_kernel
def strictest_state(of_all: int, of_set: int, of_account: int, of_instrument: int) -> tuple[int, int]:
    """Return the strictest trading state and the broadest level that has it."""
    state, level = of_all, GLOBAL
    if of_set > state:
        state, level = of_set, SET
    if of_account > state:
        state, level = of_account, ACCOUNT
    if of_instrument > state:
        state, level = of_instrument, INSTRUMENT
    return state, level
