"""What people ask of risk, checked and applied: limits, trading states, allowed instruments, sessions."""

from typing import Any

import msgspec
import numpy as np

from apps.risk.contracts import (
    INSTRUMENT_LIMITS,
    AllowInstruments,
    CommandRefused,
    InstrumentsAllowed,
    Limits,
    LimitsChanged,
    SessionsChanged,
    SetLimits,
    SetSessions,
    SetTradingState,
    TradingState,
    TradingStateChanged,
)
from apps.risk.kernels.losses import renew_references
from apps.risk.sessions import WEEK_MINUTES, is_zone
from apps.risk.state import ALL_ACCOUNTS, GLOBAL_LIMITS, RiskState, Sessions
from apps.risk.values import stops_under
from banyan.columns import ints
from banyan.messages import Message

LARGEST = 2**53 - 1


def decide_limits(state: RiskState, command: SetLimits, at_ns: int) -> list[Message]:
    """Give a level new limits, and stop who is beyond them already; or refuse them."""
    problem = problem_with_limits(command)
    if problem:
        return [_refused(command, problem)]
    changed = LimitsChanged(
        limits=command.limits, account=command.account, instrument=command.instrument, reason=command.reason
    )
    return [changed, *stops_under(state, changed, at_ns)]


def problem_with_limits(command: SetLimits) -> str:
    """Return what stands against limits, "" if nothing does."""
    if not ALL_ACCOUNTS <= command.account <= LARGEST:
        return f"{command.account} is no account number: give one, or -1 for all accounts"
    values = msgspec.structs.asdict(command.limits)
    for name, bound in values.items():
        if not -1 <= bound <= LARGEST:
            return f"{name} = {bound}: a limit is a whole number from 0 to {LARGEST}, or -1 where this level sets none"
    if command.limits.flatten_on_stop > 1:
        return f"flatten_on_stop = {command.limits.flatten_on_stop}: it is 1 (flatten), 0 (do not) or -1 (not set)"
    if command.instrument:
        for name in list(values)[INSTRUMENT_LIMITS:]:
            if values[name] != -1:
                return f"{name} is a limit of whole accounts: set it without an instrument ({command.instrument})"
    return ""


def decide_state(command: SetTradingState) -> list[Message]:
    """Change what may be traded, or refuse to."""
    problem = problem_with_state(command)
    if problem:
        return [_refused(command, problem)]
    return [
        TradingStateChanged(
            state=command.state, accounts=command.accounts, set=command.set, instrument=command.instrument,
            reason=command.reason,
        )
    ]  # fmt: skip


def problem_with_state(command: SetTradingState) -> str:
    """Return what stands against a trading state, "" if nothing does."""
    if command.state not in list(TradingState):
        return f"state = {command.state}: it is 0 (active), 1 (reducing) or 2 (halted)"
    if (command.accounts.size > 0) + bool(command.set) + bool(command.instrument) > 1:
        return "a trading state has one level: give accounts, or a set, or an instrument, or none of them for all"
    if command.accounts.size and (command.accounts.min() < 0 or command.accounts.max() > LARGEST):
        return "accounts: an account number is 0 or more"
    return ""


def decide_allowed(command: AllowInstruments) -> list[Message]:
    """Give an account a list of instruments, or refuse to."""
    problem = problem_with_allowed(command)
    if problem:
        return [_refused(command, problem)]
    return [InstrumentsAllowed(account=command.account, instruments=command.instruments)]


def problem_with_allowed(command: AllowInstruments) -> str:
    """Return what stands against a list of instruments, "" if nothing does."""
    if not 0 <= command.account <= LARGEST:
        return f"{command.account} is no account number: it is 0 or more"
    if command.instruments is not None and "" in command.instruments:
        return "instruments: one of them has no name"
    return ""


def decide_sessions(command: SetSessions) -> list[Message]:
    """Set when an instrument may be traded, or refuse to."""
    problem = problem_with_sessions(command)
    if problem:
        return [_refused(command, problem)]
    return [
        SessionsChanged(instrument=command.instrument, time_zone=command.time_zone, windows=command.windows)
    ]  # fmt: skip


def problem_with_sessions(command: SetSessions) -> str:
    """Return what stands against sessions, "" if nothing does."""
    if not command.instrument:
        return "instrument: sessions are those of one instrument, give its name"
    if not is_zone(command.time_zone):
        return f"time_zone = {command.time_zone!r}: use an IANA name such as UTC or America/New_York"
    for at, window in enumerate(command.windows or ()):
        for name in ("opens_minute", "closes_minute"):
            if not 0 <= getattr(window, name) <= WEEK_MINUTES:
                told = f"windows[{at}].{name} = {getattr(window, name)}"
                return f"{told}: minutes count from 0 (Monday 00:00) to {WEEK_MINUTES}"
        if window.opens_minute == window.closes_minute:
            return f"windows[{at}] opens and closes at minute {window.opens_minute}: leave it out, or give two minutes"
    return ""


def _refused(command: Message, reason: str) -> CommandRefused:
    return CommandRefused(command=command.wire_name, reason=reason)


def change_limits(state: RiskState, event: LimitsChanged) -> None:
    """Give a level its limits."""
    if event.account == ALL_ACCOUNTS and not event.instrument:
        row = GLOBAL_LIMITS
    else:
        owner = _owner(state, event)
        row = owner.limits = state.limits_row(int(owner.limits))
        if event.account != ALL_ACCOUNTS and event.instrument and owner.beside:
            state.cells.rows[owner.beside].limits = row
    state.limits.rows[row] = limits_row(event.limits)


def limits_row(limits: Limits) -> tuple[int, ...]:
    """Return limits as a row of the table of limits."""
    return msgspec.structs.astuple(limits)


def change_state(state: RiskState, event: TradingStateChanged) -> None:
    """Change what may be traded at a level."""
    if event.accounts.size:
        rows = np.array([state.account(number) for number in event.accounts.tolist()], np.int64)
        state.accounts.rows["state"][rows] = event.state
        if event.state == TradingState.ACTIVE:
            state.accounts.rows["stops"][rows] = 0
            renew_references(state.accounts.rows, state.references.rows, rows)
    elif event.set:
        state.set_states[event.set] = event.state
    elif event.instrument:
        row = state.instrument(event.instrument)
        state.instruments.rows[row].state = event.state
    else:
        state.trading_state = event.state


def allow_instruments(state: RiskState, event: InstrumentsAllowed) -> None:
    """Give an account its list of instruments, or none."""
    row = state.account(event.account)
    rows = [state.instrument(name) for name in event.instruments or ()]
    state.accounts.rows[row].listed = event.instruments is not None
    state.allowed[:, row] = 0
    state.allowed[rows, row] = 1


def change_sessions(state: RiskState, event: SessionsChanged) -> None:
    """Know when an instrument may be traded."""
    if event.windows is None:
        state.sessions.pop(event.instrument, None)
    else:
        state.sessions[event.instrument] = Sessions(event.time_zone, event.windows)


def _owner(state: RiskState, event: LimitsChanged) -> Any:
    """Return the record of the account, the instrument or the cell whose limits have changed."""
    row = state.account(event.account) if event.account != ALL_ACCOUNTS else ALL_ACCOUNTS
    if not event.instrument:
        return state.accounts.rows[row]
    if event.account == ALL_ACCOUNTS:
        row = state.instrument(event.instrument)
        return state.instruments.rows[row]
    cell = state.make_cells([event.instrument], np.array([event.account]), ints())[0]
    return state.cells.rows[cell]
