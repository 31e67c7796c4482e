"""The risk context as a Django application."""

from django.apps import AppConfig


class RiskConfig(AppConfig):
    """The risk context."""

    name = "apps.risk"
    label = "risk"
