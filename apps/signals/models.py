"""The directory of strategy sets: which feeds each listens to. What a set has seen and wants is in its log."""

from django.db import models


class StrategySet(models.Model):
    """A set that was defined; `definition` is the last `DefineSet` that was sent, as JSON."""

    id = models.CharField(primary_key=True, max_length=64)
    feeds = models.JSONField(default=list, help_text="Names of the feeds that its channels come from.")
    definition = models.JSONField()
    defined_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id
