"""The demonstration as a Django application."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The demonstration, which has no tables."""

    name = "apps.demo"
    label = "demo"
