"""What people and programs ask of risk: limits, trading states, allowed instruments, sessions."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from apps.execution.interface import numbers_by_shard
from apps.risk.contracts import (
    INSTRUMENT_LIMITS,
    AllowInstruments,
    Limits,
    LimitsChanged,
    SessionWindow,
    SetLimits,
    SetSessions,
    SetTradingState,
    TradingState,
)
from apps.risk.people import problem_with_allowed, problem_with_limits, problem_with_sessions, problem_with_state
from banyan.clock import Clock, SystemClock
from banyan.columns import ints
from banyan.ids import derive
from banyan.messages import Message
from banyan.store import Store
from banyan.transport import Command, ask

if TYPE_CHECKING:
    from apps.risk.preview import Preview

ALIAS = "risk"


class LevelLimits(NamedTuple):
    """The limits of a level, in words: of an account by its number (-1: any) in an instrument ("": any)."""

    account: int
    instrument: str
    limits: dict[str, str]


class Judged(NamedTuple):
    """What became of orders: how many accounts asked, how many of them are refused as limits are, and would be.

    `newly` are the numbers of accounts that would be refused and are not yet; `reasons` counts those by why.
    """

    accounts: int
    refused_now: int
    refused_then: int
    newly: list[int]
    reasons: dict[str, int]


class RiskError(ValueError):
    """What was asked cannot be: the message says what is wrong, where, and what to do."""

    exit_code: ClassVar = 2


def set_limits(
    limits: Limits, *, account: str = "", instrument: str = "", reason: str = "", request: str,
    clock: Clock | None = None,
) -> None:  # fmt: skip
    """Set all limits of a level in place of those it had: of everybody, an account, an instrument, or both.

    `request` names this request, so that asking twice changes once. Raises RiskError, and AccountError for an account
    that does not exist.
    """
    commands = [
        (shard, SetLimits(limits=limits, account=number, instrument=instrument, reason=reason))
        for shard, number in _each(account)
    ]
    _refuse(problem_with_limits(commands[0][1]))
    _ask(commands, request, clock)


def set_trading_state(
    state: TradingState, *, accounts: Iterable[str] = (), set_name: str = "", instrument: str = "", reason: str = "",
    request: str, clock: Clock | None = None,
) -> None:  # fmt: skip
    """Set what accounts, a set, an instrument or (none given) all may trade. Raises RiskError and AccountError."""
    commands = [
        (shard, SetTradingState(state=state, accounts=ints(numbers), set=set_name, instrument=instrument,
                                reason=reason))
        for shard, numbers in numbers_by_shard(accounts)
    ]  # fmt: skip
    _refuse(problem_with_state(commands[0][1]))
    _ask(commands, request, clock)


def allow_instruments(account: str, instruments: list[str] | None, *, request: str, clock: Clock | None = None) -> None:
    """Give an account a list of the only instruments it may trade; None allows all. Raises RiskError, AccountError."""
    commands = [(shard, AllowInstruments(account=number, instruments=instruments)) for shard, number in _each(account)]
    _refuse("" if account else "an allow list is that of one account: give its id")
    _refuse(problem_with_allowed(commands[0][1]))
    _ask(commands, request, clock)


def set_sessions(
    instrument: str, windows: list[SessionWindow] | None, *, time_zone: str = "UTC", request: str,
    clock: Clock | None = None,
) -> None:  # fmt: skip
    """Set when an instrument may be traded; None: always. Raises RiskError."""
    command = SetSessions(instrument=instrument, time_zone=time_zone, windows=windows)
    _refuse(problem_with_sessions(command))
    _ask([(shard, command) for shard, _ in numbers_by_shard([])], request, clock)


def in_force(account: str = "", instrument: str = "") -> dict[str, Any]:
    """Return limits, trading states, sessions and allowed instruments that count for an account and an instrument.

    They are in words, as `manage.py risk show --json` tells them. Raises AccountError and InstrumentNotFound.
    """
    from apps.risk.in_force import in_force as found

    return found(account, instrument)


def limits_by_level() -> list[LevelLimits]:
    """Return the limits of every level that has any, in words, the widest first."""
    from apps.risk.levels import READER, in_words

    return in_words(READER.levels())


def limits_asked_for(account: str = "", instrument: str = "") -> Limits:
    """Return the limits that a level will have when all that was asked for is applied.

    Raises AccountError and InstrumentNotFound.
    """
    from apps.risk.in_force import lot_step_e9, place_of
    from apps.risk.reading import limits_asked_for as found

    lot_step_e9(instrument)
    return found(*place_of(account), instrument)


def limits_words(limits: Limits, instrument: str = "") -> dict[str, str]:
    """Return limits that are set as `manage.py risk limit` writes them. Raises InstrumentNotFound."""
    from apps.risk.in_force import lot_step_e9
    from apps.risk.words import limits_in_words

    return limits_in_words(limits, lot_step_e9(instrument))


def limit_told(name: str, written: str) -> str:
    """Return the value of a limit, as `limits_words` writes it, with separators and its unit in words."""
    from apps.risk.words import value_told

    return value_told(name, written)


def limits_changed(before: Limits, written: Iterable[str], instrument: str = "") -> Limits:
    """Return limits with those changed that are written as NAME=VALUE. Raises WordsError and InstrumentNotFound."""
    from apps.risk.in_force import lot_step_e9
    from apps.risk.words import changed_limits

    return changed_limits(before, written, lot_step_e9(instrument))


def limits_known(*, of_instrument: bool) -> dict[str, str]:
    """Return which limits there are, of an instrument or of any level, and what a value of each looks like."""
    from apps.risk.words import WORDS

    names = list(WORDS)[: INSTRUMENT_LIMITS if of_instrument else None]
    return {name: WORDS[name][2] for name in names}


def preview_limits(
    limits: Limits,
    orders: Iterable[tuple[int, str, int, str]],
    *,
    account: str = "",
    instrument: str = "",
    clock: Clock | None = None,
) -> "Preview":
    """Return what other limits of a level would do to orders, judged over the state as it is; nothing is changed.

    `orders` are (number of the account, instrument, steps, set) each. Raises RiskError for limits that cannot be, and
    AccountError, and RebuildError for a log that is damaged.
    """
    from apps.risk.preview import Probe, preview
    from apps.risk.reading import shard_state

    shards = _each(account)
    change = LimitsChanged(limits=limits, account=shards[0][1], instrument=instrument)
    _refuse(problem_with_limits(SetLimits(limits=limits, account=shards[0][1], instrument=instrument)))
    probes = (Probe(*each) for each in orders)
    mine = [each for each in probes if shards[0][1] in (-1, each.account) and instrument in ("", each.instrument)]
    return preview((shard_state(shard) for shard, _ in shards), change, mine, (clock or SystemClock()).wall_ns())


def _each(account: str) -> list[tuple[str, int]]:
    """Return the shard and the number of an account, or every shard and -1 where none is given."""
    found = numbers_by_shard([account] if account else [])
    return [(shard, numbers[0] if numbers else -1) for shard, numbers in found]


def _refuse(problem: str) -> None:
    if problem:
        raise RiskError(problem)


def _ask(commands: Sequence[tuple[str, Message]], request: str, clock: Clock | None) -> None:
    store = Store(ALIAS)
    asked = [Command(shard, command, derive(command.wire_name, request, shard)) for shard, command in commands]
    ask(store, asked, (clock or SystemClock()).wall_ns())
    store.close()
