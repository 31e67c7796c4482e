"""The reporting context as a Django application."""

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    """The reporting context."""

    name = "apps.reporting"
    label = "reporting"
