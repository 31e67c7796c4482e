"""The edge's ledger: what was sent, what came of it, and which edge may send for whom.

Written and read by `apps.execution.edge.ledger`; these models give the tables their shape and their migrations.
"""

from django.db import models

from banyan.timescale import TimePartitionField


class Incarnation(models.Model):
    """A life of this ledger: a restore begins the next. Orders released before it began are asked for, never sent."""

    number = models.BigIntegerField(primary_key=True)
    began_at_ns = models.BigIntegerField()
    reason = models.TextField()

    def __str__(self) -> str:
        return f"{self.number}: {self.reason}"


class Lease(models.Model):
    """The lease on the accounts of a shard, which they are in for life. Commits compare and set this row."""

    key = models.CharField(primary_key=True, max_length=100)
    epoch = models.BigIntegerField(default=0)
    number = models.BigIntegerField(default=0, help_text="Of the shard's last entry.")
    reported = models.BigIntegerField(default=0, help_text="Of its last entry that is a report.")
    owner = models.CharField(max_length=100, default="")
    lease_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


class Entry(models.Model):
    """A line of a shard's ledger: a slice that is SENT or refused, a report, and what else its memory is made of.

    `body` is of `apps.execution.edge.entries`. `previous` is the number of the report before, 0 for what is no report.
    Kept as long as broker and books are reconciled from it: 400 days.
    """

    class Kind(models.IntegerChoices):
        """What an entry says."""

        OPENED = 1
        SLICE = 2
        REPORT = 3
        CANCEL = 4
        GATE = 5
        ADOPTED = 6
        RECONCILED = 7
        COVERED = 8

    pk = models.CompositePrimaryKey("key", "number", "written_at")
    key = models.CharField(max_length=100)
    number = models.BigIntegerField()
    written_at = TimePartitionField(interval="7 days")
    kind = models.SmallIntegerField(choices=Kind)
    previous = models.BigIntegerField()
    id = models.CharField(max_length=64)
    at_ns = models.BigIntegerField()
    body = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.key} {self.number} {self.get_kind_display()}"


class Stream(models.Model):
    """How far a shard has taken what a sender's key sends it. One row per stream, for ever."""

    pk = models.CompositePrimaryKey("key", "sender", "sender_key")
    key = models.CharField(max_length=100)
    sender = models.CharField(max_length=40)
    sender_key = models.CharField(max_length=100)
    epoch = models.BigIntegerField()
    position = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.key} from {self.sender} {self.sender_key}"


class Snapshot(models.Model):
    """A shard's memory after an entry: accounts, decision marks, and orders that are open or have ended lately."""

    pk = models.CompositePrimaryKey("key", "number")
    key = models.CharField(max_length=100)
    number = models.BigIntegerField()
    version = models.IntegerField()
    made_at = models.DateTimeField()
    state = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.key} {self.number}"
