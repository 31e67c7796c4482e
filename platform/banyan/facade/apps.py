"""The façade as Django knows it."""

from django.apps import AppConfig


class FacadeConfig(AppConfig):
    """Has a database of its own: `facade`."""

    name = "banyan.facade"
    label = "facade"
    default_auto_field = "django.db.models.BigAutoField"
