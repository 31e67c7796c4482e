"""What other contexts, and authors of strategies, use of signals. Django is imported only where sets are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from apps.signals.classic import Channel, ClassStrategy, Portfolio
from apps.signals.declaration import CrossingLines, NoParams, NoState, Strategy, strategy
from apps.signals.errors import SetError, StrategyError, strategy_errors
from apps.signals.parameters import Choice, Float, Int, StrategyParameterError
from apps.signals.registry import UnknownStrategyError, get_strategy, list_strategies

if TYPE_CHECKING:
    from datetime import datetime

    from apps.signals.contracts import DefineSet

__all__ = [
    "Channel",
    "Choice",
    "ClassStrategy",
    "CrossingLines",
    "Float",
    "Int",
    "NewMember",
    "NoParams",
    "NoState",
    "Portfolio",
    "SetError",
    "SetStanding",
    "Strategy",
    "StrategyError",
    "StrategyParameterError",
    "UnknownStrategyError",
    "define_set",
    "get_set",
    "get_strategy",
    "list_strategies",
    "notices",
    "pause_set",
    "set_standings",
    "start_set",
    "strategy",
    "strategy_errors",
]


@dataclass(frozen=True, slots=True)
class NewMember:
    """A strategy to put into a set; `channels` are (instrument, interval such as "1h"), `share` its part of the set."""

    strategy: str
    channels: Sequence[tuple[str, str]]
    parameters: dict[str, int | float | str]
    share: float = 1.0


def define_set(
    name: str, members: Sequence[NewMember], *, conversions: Sequence[tuple[str, str]] = (), grace_seconds: float = 1.0,
    warms_up: bool = True,
) -> "DefineSet":  # fmt: skip
    """Define a set, or replace it; return what it is. One that was never started hears of it when it is.

    Its strategies are warmed up with the bars before the first that they get, unless `warms_up` is false. The closes of
    `conversions`, pairs of currencies as (instrument, interval), are rates for accounts in other currencies. Raises
    SetError, StrategyError, UnknownStrategyError, StrategyParameterError and InstrumentNotFound.
    """
    from apps.signals import sets

    return sets.define_set(name, members, conversions=conversions, grace_seconds=grace_seconds, warms_up=warms_up)


def start_set(name: str) -> None:
    """Let a set give targets; one that was parked begins anew. Raises SetError where there is no such set."""
    from apps.signals import sets

    sets.start_set(name)


def pause_set(name: str) -> None:
    """Let a set only follow its bars. Raises SetError where there is no such set, or it gives no targets anyway."""
    from apps.signals import sets

    sets.pause_set(name)


def get_set(name: str) -> "DefineSet":
    """Return a strategy set as it was defined last. Raises SetError where there is none."""
    from apps.signals import sets

    return sets.get_set(name)


class SetStanding(NamedTuple):
    """How a set is: `state` is not started, not run, running, paused, restarting or parked; `problem` says why.

    `pid` is its process (0: none), which was heard of at `reported_at`; `failures` are those that count against it.
    """

    name: str
    state: str
    feeds: tuple[str, ...]
    defined_at: "datetime"
    definition: "DefineSet"
    starts: int
    megabytes: float
    problem: str
    pid: int = 0
    failures: int = 0
    reported_at: "datetime | None" = None


def set_standings() -> list[SetStanding]:
    """Return how each set that was defined is, by name."""
    from apps.signals.reports import set_standings as found

    return found()


def notices() -> list[str]:
    """Return what a person has to look at: one line for each set that does not give what it should."""
    from apps.signals.reports import notices as found

    return found()
