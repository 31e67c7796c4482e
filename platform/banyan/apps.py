"""The runtime as a Django application: it brings the commands that every context needs."""

from importlib import import_module

from django.apps import AppConfig


class BanyanConfig(AppConfig):
    """The runtime's commands: `migrate` for all databases, `serve` and `stop_database`."""

    name = "banyan"
    verbose_name = "Banyan"

    def ready(self) -> None:
        """Let `manage.py check --deploy` look at what is said in the clear."""
        import_module("banyan.clear_text")
