"""The Django application of strategies."""

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """Strategies and their commands."""

    name = "apps.signals"
    label = "signals"
    verbose_name = "Strategies"
