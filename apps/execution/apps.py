"""The execution context as a Django application."""

from django.apps import AppConfig


class ExecutionConfig(AppConfig):
    """The execution context."""

    name = "apps.execution"
    label = "execution"
