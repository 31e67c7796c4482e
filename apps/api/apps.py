"""The API as a Django application."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The API, whose keys are beside users and sessions."""

    name = "apps.api"
    label = "api"
