"""Alerts as a Django application."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Rules, alerts and silences, whose tables are beside those of the console."""

    name = "apps.alerts"
    label = "alerts"
