"""The Django application of backtests."""

from django.apps import AppConfig


class BacktestConfig(AppConfig):
    """Runs, their storage and their commands."""

    name = "apps.backtest"
    label = "backtest"
    verbose_name = "Backtests"
