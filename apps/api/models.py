"""What the API itself remembers: keys, and how much each may still ask."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Key(models.Model):
    """A key: what it may do, and the hash of its secret. Kept for ever, so that it can be told who did something."""

    id = models.CharField(primary_key=True, max_length=12)
    secret_hash = models.BinaryField(max_length=32)
    name = models.CharField(max_length=100, help_text="What it is for.")
    client = models.CharField(max_length=64, blank=True, help_text="Whose accounts it reaches; empty: those of all.")
    scopes = ArrayField(models.CharField(max_length=16))
    networks = ArrayField(models.CharField(max_length=43), help_text="Where it may be used from; none: anywhere.")
    calls_per_minute = models.IntegerField()
    streams = models.IntegerField(db_default=50, help_text="That may be open at once, in each process of a server.")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True, help_text="Last used, to a minute.")
    holder = models.CharField(max_length=12, help_text="The first key of those that were rotated to this one.")
    replaces = models.CharField(max_length=12, blank=True, help_text="The key that this one was made for, instead of.")

    class Meta:
        ordering = ["made_at", "id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.id} {self.name}"


class Allowance(models.Model):
    """How many calls a key has left at a time; it fills up again. An unlogged table: a crash fills all."""

    key = models.CharField(primary_key=True, max_length=12)
    calls_left = models.FloatField()
    is_granted = models.BooleanField(help_text="Whether the last call had one.")
    at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.key}: {self.calls_left:g}"


class Post(models.Model):
    """A POST that was begun under an Idempotency-Key: who, what, and what was answered. Kept as long as ids of inputs.

    The answer is kept for a day; one without an answer is done now, or was cut off and is done by who asks again.
    """

    pk = models.CompositePrimaryKey("holder", "key")
    holder = models.CharField(max_length=12)
    key = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="Of the address and the body.")
    begun_at = models.DateTimeField(db_index=True)
    answered_at = models.DateTimeField(null=True)
    status = models.IntegerField(null=True)
    answer = models.BinaryField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.holder} {self.key}"


class Webhook(models.Model):
    """Where a family of events is sent, whose, limited by what, and how far it has come."""

    id = models.CharField(primary_key=True, max_length=12)
    holder = models.CharField(max_length=12, help_text="Whose keys it lives by.")
    client = models.CharField(max_length=64, blank=True)
    url = models.CharField(max_length=500)
    family = models.CharField(max_length=16)
    filters = models.JSONField()
    places = models.JSONField(help_text="After which places in each log what is to be sent begins.")
    salt = models.BinaryField(max_length=16, help_text="Of its secret, which is kept nowhere.")
    old_salt = models.BinaryField(max_length=16, null=True, help_text="Of the secret before, still good.")
    old_until = models.DateTimeField(null=True)
    is_on = models.BooleanField(default=True)
    made_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index("holder", name="webhooks_of_holders")]

    def __str__(self) -> str:
        return f"{self.id} {self.family}"


class Delivery(models.Model):
    """Events on their way to a webhook: waiting, delivered, or parked after many attempts. Its id is the receiver's."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    body = models.BinaryField()
    state = models.CharField(max_length=16, default="waiting")
    attempts = models.IntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)
    made_at = models.DateTimeField()
    next_at = models.DateTimeField()
    tried_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index("webhook", "id", name="deliveries_waiting", condition=models.Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"
