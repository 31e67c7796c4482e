"""The Django application of the edge."""

from django.apps import AppConfig


class EdgeConfig(AppConfig):
    """The edge's ledger, and the commands of what it talks to."""

    name = "apps.execution.edge"
    label = "edge"
    verbose_name = "Edge"
