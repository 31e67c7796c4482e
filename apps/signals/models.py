"""The directory of strategy sets: which feeds each listens to. What a set has seen and wants is in its log."""

from django.db import models


class StrategySet(models.Model):
    """A set that was defined; `definition` is the last `DefineSet`, as JSON.

    One that was never started has no process, and knows nothing of its definition yet. One that is parked has none
    until a person starts it again.
    """

    id = models.CharField(primary_key=True, max_length=64)
    feeds = models.JSONField(default=list, help_text="Names of the feeds that its channels come from.")
    definition = models.JSONField()
    defined_at = models.DateTimeField(auto_now=True)
    is_started = models.BooleanField(default=False, help_text="It was started once: it follows its bars.")
    is_paused = models.BooleanField(default=False, help_text="It follows its bars, and gives no targets.")
    parked_because = models.TextField(
        blank=True, default="", help_text="Why its process is left alone; empty: it is not."
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class SetReport(models.Model):
    """How the process of a set is, written by the one that watches it."""

    set_id = models.CharField(primary_key=True, max_length=64)
    reported_at = models.DateTimeField()
    state = models.CharField(max_length=16, help_text="running or restarting")
    pid = models.IntegerField(default=0)
    starts = models.IntegerField(default=0)
    failures = models.IntegerField(default=0, help_text="Those that count against it now.")
    problem = models.TextField(blank=True, default="", help_text="Why it ended last.")
    megabytes = models.FloatField(default=0.0, help_text="Memory of its own.")

    class Meta:
        ordering = ["set_id"]

    def __str__(self) -> str:
        return f"{self.set_id}: {self.state}"
