"""The Django application of market data."""

from django.apps import AppConfig


class FeedsConfig(AppConfig):
    """Instruments, bars, ticks, their imports and the quarantine."""

    name = "apps.feeds"
    label = "feeds"
    verbose_name = "Market data"
