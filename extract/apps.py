"""The extraction as Django knows it."""

from django.apps import AppConfig


class ExtractConfig(AppConfig):
    """Brings the command `extract`."""

    name = "extract"
