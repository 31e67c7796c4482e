"""What other contexts, and authors of strategies, use of signals."""

from apps.signals.classic import Channel, ClassStrategy, Portfolio
from apps.signals.declaration import CrossingLines, NoParams, NoState, Strategy, strategy
from apps.signals.errors import StrategyError, strategy_errors
from apps.signals.parameters import Choice, Float, Int, StrategyParameterError
from apps.signals.registry import UnknownStrategyError, get_strategy, list_strategies

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
    "Strategy",
    "StrategyError",
    "StrategyParameterError",
    "UnknownStrategyError",
    "get_strategy",
    "list_strategies",
    "strategy",
    "strategy_errors",
]
