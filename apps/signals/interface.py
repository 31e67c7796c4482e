"""What other contexts, and authors of strategies, use of signals."""

from apps.signals.classic import Channel, ClassStrategy, Portfolio
from apps.signals.errors import StrategyError, strategy_errors
from apps.signals.parameters import Choice, Float, Int, StrategyParameterError
from apps.signals.registry import (
    CrossingLines,
    Strategy,
    UnknownStrategyError,
    get_strategy,
    list_strategies,
    strategy,
)

__all__ = [
    "Channel",
    "Choice",
    "ClassStrategy",
    "CrossingLines",
    "Float",
    "Int",
    "Portfolio",
    "Strategy",
    "StrategyError",
    "StrategyParameterError",
    "UnknownStrategyError",
    "get_strategy",
    "list_strategies",
    "strategy",
    "strategy_errors",
]
