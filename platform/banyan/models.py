"""The tables that a host keeps in its context's database.

Hosts read and write them with statements of their own (`banyan.store`); these models give the tables their shape and
their migrations, and let people look at dead letters. A *position* is a log number times 4096 plus the index of one of
its events, so that positions of one log rise and name an event.
"""

from django.db import models

from banyan.timescale import TimePartitionField


class Key(models.Model):
    """A key: who owns it, which epoch it is in, and the last number of its log. Commits compare and set this row."""

    key = models.CharField(primary_key=True, max_length=100)
    epoch = models.BigIntegerField(default=0)
    is_leading = models.BooleanField(default=True)
    number = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=100, default="")
    lease_until = models.DateTimeField(null=True)
    parked_because = models.TextField(default="", help_text="Why the key takes no input; empty: it does.")
    parked_id = models.CharField(
        max_length=64, default="", help_text="The message it stopped at; once released, a dead letter is made of it."
    )

    def __str__(self) -> str:
        return self.key


class Log(models.Model):
    """One step of a key: an input in the order applied, when it was received, and the events that it gave.

    `header` and `body` are the envelope and the message as they came, `events` a JSON array of [name, message]. Kept
    until a verified snapshot stands after it, and for as long as the retention of its context says.
    """

    pk = models.CompositePrimaryKey("key", "number", "written_at")
    key = models.CharField(max_length=100)
    number = models.BigIntegerField()
    epoch = models.BigIntegerField(default=0, db_default=0, help_text="Of whoever led the key then.")
    written_at = TimePartitionField(interval="7 days")
    received_at_ns = models.BigIntegerField()
    header = models.BinaryField()
    body = models.BinaryField()
    events = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.key} {self.number}"


class Outbox(models.Model):
    """An event that somebody is to get: the row points at it in the log. Kept as long as the log."""

    pk = models.CompositePrimaryKey("receiver", "receiver_key", "key", "position", "written_at")
    receiver = models.CharField(max_length=40)
    receiver_key = models.CharField(max_length=100)
    key = models.CharField(max_length=100)
    position = models.BigIntegerField()
    previous = models.BigIntegerField(help_text="The position before it on the same stream; 0: none.")
    epoch = models.BigIntegerField()
    written_at = TimePartitionField(interval="7 days")

    def __str__(self) -> str:
        return f"{self.key} {self.position} to {self.receiver} {self.receiver_key}"


class Stream(models.Model):
    """The last position that a key of this context has sent to a key of another. One row per stream, for ever."""

    pk = models.CompositePrimaryKey("key", "receiver", "receiver_key")
    key = models.CharField(max_length=100)
    receiver = models.CharField(max_length=40)
    receiver_key = models.CharField(max_length=100)
    position = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.key} to {self.receiver} {self.receiver_key}"


class Mark(models.Model):
    """How far a key has applied what a sender's key sends it. One row per stream, for ever."""

    pk = models.CompositePrimaryKey("key", "sender", "sender_key")
    key = models.CharField(max_length=100)
    sender = models.CharField(max_length=40)
    sender_key = models.CharField(max_length=100)
    epoch = models.BigIntegerField()
    position = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.key} from {self.sender} {self.sender_key}"


class Place(models.Model):
    """From which offset on a key reads a partition of Kafka: moved in the transaction that applies what was read."""

    pk = models.CompositePrimaryKey("key", "topic", "partition")
    key = models.CharField(max_length=100)
    topic = models.CharField(max_length=249)
    partition = models.IntegerField()
    next_offset = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.key} {self.topic}/{self.partition}"


class Relayed(models.Model):
    """How far Kafka has acknowledged what a key sends to a key of another context. One row per stream, for ever."""

    pk = models.CompositePrimaryKey("key", "receiver", "receiver_key")
    key = models.CharField(max_length=100)
    receiver = models.CharField(max_length=40)
    receiver_key = models.CharField(max_length=100)
    position = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.key} to {self.receiver} {self.receiver_key}"


class Seen(models.Model):
    """The id of an input from a sender without a log. Kept longer than anything that could send it again."""

    pk = models.CompositePrimaryKey("key", "id", "seen_at")
    key = models.CharField(max_length=100)
    id = models.CharField(max_length=64)
    seen_at = TimePartitionField(interval="7 days")

    def __str__(self) -> str:
        return self.id


class Request(models.Model):
    """A command from a sender without a log (a person, the API, an adapter), until its key has applied it."""

    place = models.BigAutoField(primary_key=True)
    id = models.CharField(unique=True, max_length=64)
    key = models.CharField(max_length=100)
    header = models.BinaryField()
    body = models.BinaryField()
    asked_at = models.DateTimeField()

    class Meta:
        ordering = ["place"]
        indexes = [models.Index(fields=["key", "place"])]

    def __str__(self) -> str:
        return self.id


class Timer(models.Model):
    """A `TimerDue` that a key waits for."""

    pk = models.CompositePrimaryKey("key", "name")
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    due_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.key} {self.name}"


class Snapshot(models.Model):
    """The state of a key after a log number, and where its log may begin. `digest` is BLAKE2b of `state`, in hex."""

    pk = models.CompositePrimaryKey("key", "number")
    key = models.CharField(max_length=100)
    number = models.BigIntegerField()
    version = models.IntegerField(help_text="The schema of `state`.")
    made_at = models.DateTimeField()
    digest = models.CharField(max_length=64)
    state = models.BinaryField()
    is_verified = models.BooleanField(default=False, help_text="Replay of the log up to it has given the same digest.")

    def __str__(self) -> str:
        return f"{self.key} {self.number}"


class DeadLetter(models.Model):
    """A message, or rows of one, that could not be processed. Kept until a person redrives or drops it."""

    class Status(models.TextChoices):
        """What became of it."""

        OPEN = "open"
        REDRIVEN = "redriven"
        DROPPED = "dropped"

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=100)
    number = models.BigIntegerField(help_text="Of the log record that parked it.")
    reason = models.TextField()
    rows = models.JSONField(null=True, help_text="Rows of the message; null: all of it.")
    accounts = models.JSONField(null=True)
    header = models.BinaryField()
    body = models.BinaryField()
    parked_at = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.key} {self.number}: {self.reason}"
