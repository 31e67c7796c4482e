"""The runtime as a Django application: it brings the commands that every context needs."""

from django.apps import AppConfig


class BanyanConfig(AppConfig):
    """The runtime's commands: `migrate` for all databases, `serve` and `stop_database`."""

    name = "banyan"
    verbose_name = "Banyan"
