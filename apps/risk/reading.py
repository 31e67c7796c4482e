"""What risk's logs say is in force: read from what is committed, beside a running system or without one."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import numpy as np

from apps.risk.contracts import Level, Limits, RefusalReason, SetLimits
from apps.risk.core import RISK
from apps.risk.kernels.reasons import LOSS_REASONS
from apps.risk.state import GLOBAL_LIMITS, RiskState
from banyan.codec import decode_envelope, decode_message
from banyan.host.memory import advanced, state_at
from banyan.models import Key, Request
from banyan.store import Store

ALIAS = "risk"


def shard_state(shard: str) -> RiskState:
    """Return what a shard's risk has come to. Raises RebuildError for a log that is damaged."""
    number = Key.objects.using(ALIAS).filter(key=shard).values_list("number", flat=True).first() or 0
    with closing(Store(ALIAS)) as store:
        return state_at(RISK, store, shard, number)[0]


class _Kept(NamedTuple):
    epoch: int
    number: int
    state: RiskState


_FORWARD_MAX = 2_000
"""Records by which a state that is kept is brought forward; beyond, it is built anew from the newest snapshot."""
_KEPT: dict[str, _Kept] = {}
_LOCK = threading.Lock()


@contextmanager
def kept_state(shard: str) -> Iterator[RiskState]:
    """Give what a shard's risk has come to, kept in this process and brought forward by what came since.

    Whoever else asks waits until the caller has looked. Raises RebuildError for a log that is damaged.
    """
    with _LOCK:
        epoch, number = Key.objects.using(ALIAS).filter(key=shard).values_list("epoch", "number").first() or (0, 0)
        kept = _KEPT.pop(shard, None)
        if kept is None or kept.epoch != epoch or not 0 <= number - kept.number <= _FORWARD_MAX:
            with closing(Store(ALIAS)) as store:
                kept = _Kept(epoch, number, state_at(RISK, store, shard, number)[0])
        elif number > kept.number:
            with closing(Store(ALIAS)) as store:
                state = advanced(RISK, store, shard, kept.state, kept.number, number)
            kept = _Kept(epoch, number, state)
        _KEPT[shard] = kept
        yield kept.state


def forget_kept_states() -> None:
    """Build states anew when they are asked for next."""
    with _LOCK:
        _KEPT.clear()


def waiting() -> int:
    """Return how many requests of people nobody has applied yet."""
    return Request.objects.using(ALIAS).count()


def limits_asked_for(shard: str, account: int, instrument: str) -> Limits:
    """Return the limits that a level will have when all that waits is applied. Raises RebuildError."""
    newest_first = Request.objects.using(ALIAS).filter(key=shard).order_by("-place").values_list("header", "body")
    for header, body in newest_first.iterator():
        asked = decode_message(decode_envelope(bytes(header)).name, bytes(body))
        if isinstance(asked, SetLimits) and (asked.account, asked.instrument) == (account, instrument):
            return asked.limits
    with kept_state(shard) as state:
        return limits_of(state, account, instrument)


def limits_of(state: RiskState, account: int = -1, instrument: str = "") -> Limits:
    """Return the limits that were set at one level: of all (neither given), an account, an instrument, or both."""
    row = _limits_row(state, account, instrument)
    return (
        Limits()
        if row < 0
        else Limits(**dict(zip(Limits.__struct_fields__, state.limits.rows[row].tolist(), strict=True)))
    )


def limits_by_level(state: RiskState, account: int, instrument: str) -> list[tuple[Level, Limits]]:
    """Return the limits of all levels that concern an account (-1: any) and an instrument ("": any), widest first."""
    levels = [(Level.GLOBAL, limits_of(state))]
    if account >= 0:
        levels.append((Level.ACCOUNT, limits_of(state, account)))
    if instrument:
        levels.append((Level.INSTRUMENT, limits_of(state, -1, instrument)))
    if account >= 0 and instrument:
        levels.append((Level.ACCOUNT_INSTRUMENT, limits_of(state, account, instrument)))
    return levels


def stops_of(state: RiskState, account: int) -> list[RefusalReason]:
    """Return the losses that have stopped an account."""
    row = _account_row(state, account)
    bits = int(state.accounts.rows[row].stops) if row >= 0 else 0
    return [RefusalReason(reason) for loss, reason in enumerate(LOSS_REASONS) if bits & (1 << loss)]


def allowed_for(state: RiskState, account: int) -> list[str] | None:
    """Return the only instruments that an account may trade, None where it may trade all."""
    row = _account_row(state, account)
    if row < 0 or not state.accounts.rows[row].listed:
        return None
    names = state.instrument_names.names
    return [name for number, name in enumerate(names) if state.allowed[number, row]]


def account_state(state: RiskState, account: int) -> int:
    """Return the trading state that people have set for an account."""
    row = _account_row(state, account)
    return int(state.accounts.rows[row].state) if row >= 0 else 0


def instrument_states(state: RiskState) -> Iterator[tuple[str, int]]:
    """Yield the instruments whose trading state is not active."""
    names = state.instrument_names.names
    for row in np.flatnonzero(state.instruments.rows["state"]).tolist():
        yield names[row], int(state.instruments.rows[row].state)


def accounts_not_active(state: RiskState) -> list[int]:
    """Return the numbers of accounts that people or a loss have stopped or made to reduce."""
    accounts: Any = state.accounts.rows
    found: list[int] = accounts["number"][(accounts["state"] > 0) | (accounts["stops"] > 0)].tolist()
    return found


def _limits_row(state: RiskState, account: int, instrument: str) -> int:
    if account < 0 and not instrument:
        return GLOBAL_LIMITS
    row, number = _account_row(state, account), state.instrument_names.known(instrument)
    if not instrument:
        return int(state.accounts.rows[row].limits) if row >= 0 else -1
    if number < 0 or (account >= 0 and row < 0):
        return -1
    if account < 0:
        return int(state.instruments.rows[number].limits)
    cell = int(state.cell_rows[number, row])
    return int(state.cells.rows[cell].limits) if cell >= 0 else -1


def _account_row(state: RiskState, account: int) -> int:
    return int(state.rows_of(np.array([account], np.int64))[0])
