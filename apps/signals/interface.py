"""What other contexts, and authors of strategies, use of signals. Django is imported only where sets are asked for."""

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
    "NoParams",
    "NoState",
    "Portfolio",
    "SetError",
    "SetStanding",
    "Strategy",
    "StrategyError",
    "StrategyParameterError",
    "UnknownStrategyError",
    "get_set",
    "get_strategy",
    "list_strategies",
    "notices",
    "set_standings",
    "sets_of_feed",
    "strategy",
    "strategy_errors",
]


def get_set(name: str) -> "DefineSet":
    """Return a strategy set as it was defined last. Raises SetError where there is none."""
    from apps.signals import sets

    return sets.get_set(name)


class SetStanding(NamedTuple):
    """How a set is: `state` is not started, not run, running, paused, restarting or parked; `problem` says why."""

    name: str
    state: str
    feeds: tuple[str, ...]
    defined_at: "datetime"
    definition: "DefineSet"
    starts: int
    megabytes: float
    problem: str


def set_standings() -> list[SetStanding]:
    """Return how each set that was defined is, by name."""
    from apps.signals.reports import set_standings as found

    return found()


def sets_of_feed(feed: str) -> list[str]:
    """Return the names of the sets that listen to a feed."""
    from apps.signals import sets

    return sets.sets_of_feed(feed)


def notices() -> list[str]:
    """Return what a person has to look at: one line for each set that does not give what it should."""
    from apps.signals.reports import notices as found

    return found()
