"""What the façade remembers: stages, who changed them, and how the sides differed."""

from django.db import models


class Route(models.Model):
    """The stage that a context is wanted to be in; a context without a row is in the app."""

    context = models.CharField(primary_key=True, max_length=40)
    stage = models.CharField(max_length=10)
    service_keys = models.JSONField(default=list, help_text="In canary: the keys that the service is wanted to lead.")
    version = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.context}: {self.stage}"


class Change(models.Model):
    """A change of a route, kept for ever: who, when, why, and what was known then."""

    context = models.CharField(max_length=40)
    version = models.BigIntegerField()
    at = models.DateTimeField(auto_now_add=True)
    who = models.CharField(max_length=100)
    why = models.TextField()
    before = models.JSONField()
    after = models.JSONField()
    evidence = models.JSONField(help_text="What was checked before, with what was found.")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["context", "version"], name="one_change_for_each_version")]

    def __str__(self) -> str:
        return f"{self.context} {self.version}: {self.who}"
