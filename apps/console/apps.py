"""The console as a Django application."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The console, whose tables are beside those of users and sessions."""

    name = "apps.console"
    label = "console"
