"""The tables of stored runs."""

import secrets
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.backtest.options import Options
from apps.backtest.store_plain import in_order

_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"


def new_short_id() -> str:
    """Return eight characters that are easy to read out and to type, the first one a letter."""
    return secrets.choice(_LETTERS[8:]) + "".join(secrets.choice(_LETTERS) for _ in range(7))


class Run(models.Model):
    """One stored backtest: what was asked, what it ran on, what came out, and the digests that prove it again.

    `request` is what `RunRequest.as_json` gives, with the order of the parameters; `manifest` and `metrics` are the
    result's. `digests` holds SHA-256 of
    equity, fills and trades. The arrays themselves are rows of RunArray.
    """

    short_id = models.CharField(max_length=8, unique=True, default=new_short_id, editable=False)
    created = models.DateTimeField(auto_now_add=True, db_index=True)
    kind = models.CharField(max_length=16, default="backtest")
    strategy = models.CharField(max_length=200, db_index=True)
    instruments = ArrayField(models.CharField(max_length=200))
    interval = models.CharField(max_length=16, blank=True)
    first_bar = models.DateTimeField()
    last_bar = models.DateTimeField()
    bars = models.BigIntegerField()
    params = models.JSONField()
    options = models.JSONField()
    request = models.JSONField()
    manifest = models.JSONField()
    code_hash = models.CharField(max_length=64)
    source = models.TextField(help_text="The strategy's source file as it was run.")
    data_hash = models.CharField(max_length=64)
    engine_version = models.CharField(max_length=64)
    environment = models.JSONField()
    metrics = models.JSONField()
    metrics_version = models.CharField(max_length=16)
    digests = models.JSONField()
    engine_seconds = models.FloatField()
    notes = models.JSONField(default=list)

    class Meta:
        ordering = ["-created", "-id"]

    def __str__(self) -> str:
        return f"{self.short_id} {self.strategy} {' '.join(self.instruments)} {self.interval}".rstrip()

    def params_in_order(self) -> dict[str, Any]:
        """Return the parameters in the order in which the strategy declares them."""
        return in_order(self.params, self.request.get("params_order", ()))

    def options_in_order(self) -> dict[str, Any]:
        """Return the options that were given, in the order of the command's help."""
        return in_order(self.options, Options.__dataclass_fields__)

    def metrics_in_order(self) -> dict[str, Any]:
        """Return the metrics in the order of their definitions."""
        from trading.metrics.definitions import DEFINITIONS  # slow to import, and not needed by all

        return in_order(self.metrics, DEFINITIONS)


class RunArray(models.Model):
    """One array of a run: its name, NumPy dtype and compressed bytes (see `store.packed`)."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="arrays")
    name = models.CharField(max_length=32)
    dtype = models.JSONField()
    length = models.BigIntegerField()
    packed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="one_array_of_a_name_per_run")]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.name}"


class Job(models.Model):
    """A backtest, sweep or walk-forward that somebody has asked for; see `jobs.keeping`.

    `number` is that of its last change, from one sequence for all jobs.
    """

    short_id = models.CharField(max_length=8, unique=True, default=new_short_id, editable=False)
    request_id = models.CharField(max_length=64, unique=True, help_text="By which asking twice is asking once.")
    owner = models.CharField(max_length=100, db_index=True)
    kind = models.CharField(max_length=16)
    strategy = models.CharField(max_length=200)
    asked = models.JSONField()
    state = models.CharField(max_length=16, default="queued")
    is_stopping = models.BooleanField(default=False, help_text="Somebody has cancelled it while it ran.")
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    problem = models.TextField(blank=True)
    run = models.CharField(max_length=8, blank=True, help_text="The stored run that came out.")
    submitted_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(auto_now_add=True)
    number = models.BigIntegerField(unique=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index("state", "id", name="open_jobs", condition=models.Q(state__in=["queued", "running"])),
            models.Index("changed_at", name="jobs_by_change"),
        ]

    def __str__(self) -> str:
        return f"{self.short_id} {self.kind} {self.strategy}"


class JobResult(models.Model):
    """What came out of a job: `document` is JSON, `report` the HTML page, both compressed by zlib."""

    job = models.OneToOneField(Job, on_delete=models.CASCADE, primary_key=True, related_name="result")
    document = models.BinaryField()
    report = models.BinaryField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"result of {self.job_id}"
