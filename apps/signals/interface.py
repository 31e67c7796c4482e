"""What other contexts, and authors of strategies, use of signals. Django is imported only where sets are asked for."""

from typing import TYPE_CHECKING

from apps.signals.classic import Channel, ClassStrategy, Portfolio
from apps.signals.declaration import CrossingLines, NoParams, NoState, Strategy, strategy
from apps.signals.errors import SetError, StrategyError, strategy_errors
from apps.signals.parameters import Choice, Float, Int, StrategyParameterError
from apps.signals.registry import UnknownStrategyError, get_strategy, list_strategies

if TYPE_CHECKING:
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
    "Strategy",
    "StrategyError",
    "StrategyParameterError",
    "UnknownStrategyError",
    "get_set",
    "get_strategy",
    "list_strategies",
    "notices",
    "sets_of_feed",
    "strategy",
    "strategy_errors",
]


def get_set(name: str) -> "DefineSet":
    """Return a strategy set as it was defined last. Raises SetError where there is none."""
    from apps.signals import sets

    return sets.get_set(name)


def sets_of_feed(feed: str) -> list[str]:
    """Return the names of the sets that listen to a feed."""
    from apps.signals import sets

    return sets.sets_of_feed(feed)


def notices() -> list[str]:
    """Return what a person has to look at: one line for each set that does not give what it should."""
    from apps.signals.reports import notices as found

    return found()
