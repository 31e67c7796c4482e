"""The directory of accounts: which number an account has in columns, and in which shard it is. Both are for life.

Beside it, what people have set for all who follow a set: the shards are told with the set's terms, whenever these are.
"""

from django.db import models


class Account(models.Model):
    """An account that was opened. What it holds and may do is in its shard's log; here is only how to find it."""

    id = models.CharField(primary_key=True, max_length=64, help_text="The firm's own name of the account.")
    number = models.BigIntegerField(unique=True)
    shard = models.CharField(max_length=16)
    client = models.CharField(max_length=64)
    broker = models.CharField(max_length=32)
    currency = models.CharField(max_length=8)
    opened_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        indexes = [models.Index(fields=["shard", "number"])]

    def __str__(self) -> str:
        return self.id


class SetLevel(models.Model):
    """What holds for all who follow a strategy set, unless their subscriptions or accounts say otherwise."""

    set = models.CharField(primary_key=True, max_length=64)
    level = models.JSONField(help_text="The settings that were given, as fields of `ConfigureSet`.")

    class Meta:
        ordering = ["set"]

    def __str__(self) -> str:
        return self.set
