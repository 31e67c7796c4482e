"""The auditor as a Django application."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The auditor, which has no tables."""

    name = "apps.audit"
    label = "audit"
