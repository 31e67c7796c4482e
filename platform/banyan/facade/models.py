"""What the façade remembers: stages, who changed them, and how the sides differed."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

_TOOK = "Records by how long that was, in classes of extract.comparator.durations."


class Route(models.Model):
    """The stage that a context is wanted to be in; a context without a row is in the app."""

    context = models.CharField(primary_key=True, max_length=40)
    stage = models.CharField(max_length=10)
    service_keys = models.JSONField(default=list, help_text="In canary: the keys that the service is wanted to lead.")
    version = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)
    watched_since = models.DateTimeField(null=True, help_text="Since when followers are watched as they now are.")
    watched_from = models.JSONField(default=dict, help_text="By key, what had been counted of that minute before.")

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


class Comparison(models.Model):
    """What came of comparing a key's records in one minute. Kept for 30 days.

    `same` records gave the same events on both sides; of the others `matched`, `mismatched`, `missing` (with the
    follower) and `extra` count rows. `ignored` rows differ as a rule allows.
    """

    pk = models.CompositePrimaryKey("context", "key", "minute")
    context = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    minute = models.DateTimeField()
    same = models.BigIntegerField(default=0)
    differing = models.BigIntegerField(default=0)
    late = models.BigIntegerField(default=0)
    problems = models.BigIntegerField(default=0)
    matched = models.BigIntegerField(default=0)
    mismatched = models.BigIntegerField(default=0)
    missing = models.BigIntegerField(default=0)
    extra = models.BigIntegerField(default=0)
    ignored = models.BigIntegerField(default=0)
    digests_same = models.BigIntegerField(default=0)
    digests_differing = models.BigIntegerField(default=0)
    leader_ns = models.BigIntegerField(default=0, help_text="Received to committed, of all records together.")
    follower_ns = models.BigIntegerField(default=0, help_text="To decide, of all records together.")
    leader_took = ArrayField(models.IntegerField(), default=list, help_text=_TOOK)
    follower_took = ArrayField(models.IntegerField(), default=list, help_text=_TOOK)
    lag_ns_max = models.BigIntegerField(default=0, help_text="From the leader's commit to the follower's.")

    def __str__(self) -> str:
        return f"{self.context}/{self.key} {self.minute}"


class Compared(models.Model):
    """How far a key has been compared."""

    pk = models.CompositePrimaryKey("context", "key")
    context = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    number = models.BigIntegerField()
    at = models.DateTimeField()
    digest = models.CharField(max_length=10, default="", help_text="Of the last that was compared: same or differs.")
    digest_number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.context}/{self.key} {self.number}"


class ComparedPlace(models.Model):
    """From which offset on the comparator reads what followers of a context tell."""

    context = models.CharField(primary_key=True, max_length=40)
    next_offset = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.context} {self.next_offset}"


class Noise(models.Model):
    """How the app's own code, run again over its own log, differed from that log when it was measured last."""

    context = models.CharField(primary_key=True, max_length=40)
    at = models.DateTimeField(auto_now=True)
    code = models.CharField(max_length=32, help_text="A hash of the context's source files.")
    records = models.BigIntegerField()
    differing = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.context} {self.differing}/{self.records}"


class Mismatch(models.Model):
    """A row in which leader and follower differ. Of each context the last 10,000 are kept."""

    id = models.BigAutoField(primary_key=True)
    context = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    number = models.BigIntegerField(help_text="Of the record in the leader's log.")
    cause = models.CharField(max_length=64)
    input = models.CharField(max_length=100)
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, help_text="mismatched, missing (with the follower), extra or problem.")
    event = models.CharField(max_length=100)
    account = models.BigIntegerField(help_text="-1: of no account")
    instrument = models.CharField(max_length=100)
    fields = models.JSONField(help_text="By field [the leader's, the follower's].")
    lots = models.FloatField(default=0.0)
    money = models.FloatField(default=0.0)
    events = models.JSONField(help_text="What the follower would have given.")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["context", "-id"])]

    def __str__(self) -> str:
        return f"{self.id} {self.context}/{self.key} {self.number}"


class Rule(models.Model):
    """A difference that is allowed for a while: a field that may differ, by `tolerance` at most where one is given."""

    name = models.CharField(primary_key=True, max_length=60)
    context = models.CharField(max_length=40)
    event = models.CharField(max_length=100, help_text="A wire name; * stands for anything.")
    field = models.CharField(max_length=60, help_text="A field; * stands for anything.")
    tolerance = models.BigIntegerField(null=True, help_text="How far numbers may be apart; null: the field is ignored.")
    owner = models.CharField(max_length=100)
    why = models.TextField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
