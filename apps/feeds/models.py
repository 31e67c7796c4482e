"""The tables of market data.

Rows of bars, quotes and ticks are written by `apps.feeds.rows` alone, which moves their series' version in the same
transaction; a trigger moves the versions of all series when someone else changes the rows.
"""

import uuid

from django.core.exceptions import ValidationError
from django.db import models

import trading.instruments
from apps.feeds.records import Kind, Reason
from banyan.timescale import TimePartitionField
from trading.intervals import format_interval
from trading.sessions import ZoneError, find_zone

_FIELDS = tuple(trading.instruments.Instrument.__dataclass_fields__)


def check_instrument_id(value: str) -> None:
    """Raise ValidationError unless `value` is VENUE:SYMBOL in capitals."""
    venue, colon, symbol = value.partition(":")
    if not (venue and colon and symbol) or value != value.upper() or any(c.isspace() for c in value):
        raise ValidationError(f"{value!r} is not VENUE:SYMBOL in capitals, such as OANDA:EURUSD.")


def check_time_zone(value: str) -> None:
    """Raise ValidationError unless `value` names an IANA time zone."""
    try:
        find_zone(value)
    except ZoneError as error:
        raise ValidationError(str(error)) from error


class Instrument(models.Model):
    """What trading needs to know of an instrument; the fields are those of `trading.instruments.Instrument`."""

    class AssetClass(models.TextChoices):
        """What kind of thing is traded."""

        EQUITY = "equity"
        FX = "fx", "foreign exchange"
        CRYPTO = "crypto"
        INDEX = "index"
        COMMODITY = "commodity"
        FUTURE = "future"
        UNKNOWN = "unknown"

    id = models.CharField(
        "id", primary_key=True, max_length=64, validators=[check_instrument_id], help_text="VENUE:SYMBOL"
    )
    asset_class = models.CharField(max_length=16, choices=AssetClass, default=AssetClass.UNKNOWN)
    currency = models.CharField(max_length=8, default="USD", help_text="In which prices are quoted.")
    tick_size = models.FloatField(default=0.0, help_text="Smallest step of a price; 0: none.")
    lot_step = models.FloatField(default=0.0, help_text="Smallest step of a quantity, in lots; 0: fractions are fine.")
    lot_min = models.FloatField(default=0.0, help_text="Smallest quantity, in lots.")
    contract_size = models.FloatField(default=1.0, help_text="Units in one lot.")
    margin_rate = models.FloatField(default=0.0, help_text="Least share of notional held as margin.")
    calendar = models.CharField(max_length=16, default="24x7", help_text="24x7, 24x5 or an exchange such as XNYS.")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    day_turn_minutes = models.SmallIntegerField(
        default=0, help_text="When the session day turns, in minutes after local midnight; -420: 17:00 the day before."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(tick_size__gte=0, lot_step__gte=0, lot_min__gte=0, margin_rate__gte=0)
                & models.Q(contract_size__gt=0),
                name="instrument_sizes_are_not_negative",
                violation_error_message="Sizes cannot be negative, and a lot holds more than nothing.",
            )
        ]

    def __str__(self) -> str:
        return self.id

    def as_instrument(self) -> trading.instruments.Instrument:
        """Return the instrument as trading's own type."""
        return trading.instruments.Instrument(**{name: getattr(self, name) for name in _FIELDS})

    @classmethod
    def from_instrument(cls, instrument: trading.instruments.Instrument) -> "Instrument":
        """Return an unsaved row that holds `instrument`."""
        return cls(**{name: getattr(instrument, name) for name in _FIELDS})


class Series(models.Model):
    """All rows of one kind of one instrument at one interval.

    `version` moves in the same transaction as every change of the rows, so that equal (uid, version) means equal rows.
    """

    id = models.AutoField(primary_key=True)
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="series")
    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in Kind])
    interval = models.BigIntegerField(help_text="Nanoseconds; 0 for ticks.")
    version = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    first = models.DateTimeField(null=True)
    last = models.DateTimeField(null=True)

    class Meta:
        ordering = ["instrument_id", "interval", "kind"]
        verbose_name_plural = "series"
        constraints = [models.UniqueConstraint(fields=["instrument", "kind", "interval"], name="one_series_of_a_kind")]

    def __str__(self) -> str:
        if self.interval == 0:
            return f"{self.instrument_id} ticks"
        return f"{self.instrument_id} {format_interval(self.interval)} {self.kind}"


class Import(models.Model):
    """One file's import into one series. Importing the same content again is the same row."""

    class Status(models.TextChoices):
        """How far the import got. One that was killed stays RUNNING; importing the file again completes it."""

        RUNNING = "running"
        DONE = "done"

    series = models.ForeignKey(Series, on_delete=models.CASCADE, related_name="imports")
    path = models.TextField()
    digest = models.CharField(
        max_length=64, help_text="SHA-256 of the file and of the options that change its meaning."
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    started = models.DateTimeField(auto_now=True)
    finished = models.DateTimeField(null=True)
    rows_read = models.BigIntegerField(default=0)
    rows_good = models.BigIntegerField(default=0)
    rows_added = models.BigIntegerField(default=0)
    rows_replaced = models.BigIntegerField(default=0)
    rows_present = models.BigIntegerField(default=0, help_text="Rows that were stored already, with the same values.")
    version_after = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["series", "digest"], name="one_import_of_a_content")]

    def __str__(self) -> str:
        return f"{self.path} into {self.series}"


class QuarantinedRecord(models.Model):
    """A record that was not let in, or a gap that was noted, and what people have decided of it."""

    class State(models.TextChoices):
        """What became of it."""

        OPEN = "open"
        RELEASED = "released"
        DISCARDED = "discarded"

    source = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="quarantined")
    line = models.BigIntegerField(help_text="From 1, the header included; in Parquet the row, from 1.")
    reason = models.CharField(max_length=20, choices=[(reason.value, reason.value) for reason in Reason])
    detail = models.TextField()
    text = models.TextField(blank=True, help_text="The line as it was read.")
    time = models.DateTimeField(null=True)
    values = models.JSONField(null=True, help_text="Its columns, where they could be read.")
    state = models.CharField(max_length=12, choices=State, default=State.OPEN, db_default=State.OPEN)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    decided_why = models.TextField(blank=True, default="", db_default="")
    released = models.JSONField(null=True, help_text="The columns that were let in, and their time, where some were.")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["source", "reason"]),
            models.Index("state", "id", name="quarantined_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.source.path}:{self.line}: {self.reason}: {self.detail}"


class LiveDecision(models.Model):
    """What somebody has decided of a record of a live feed that was not let in. Kept with the log.

    `released` is what stored history got of it; without, it was given up.
    """

    id = models.BigAutoField(primary_key=True)
    feed = models.CharField(max_length=64)
    number = models.BigIntegerField(help_text="Of the step in the feed's log.")
    event = models.IntegerField(help_text="Which of the step's events.")
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    why = models.TextField()
    released = models.JSONField(null=True)

    class Meta:
        ordering = ["feed", "number", "event"]
        constraints = [models.UniqueConstraint(fields=["feed", "number", "event"], name="one_decision_of_a_record")]

    def __str__(self) -> str:
        return f"{self.feed} #{self.number}.{self.event}: {self.by}"


class Factor(models.Model):
    """Adjustment factors of an instrument; each row holds up to and including its session date."""

    instrument = models.ForeignKey(Instrument, on_delete=models.CASCADE, related_name="factors")
    date = models.DateField()
    price_factor = models.FloatField(help_text="Dividends.")
    split_factor = models.FloatField()
    reference_price = models.FloatField(default=0.0)

    class Meta:
        ordering = ["instrument_id", "date"]
        constraints = [models.UniqueConstraint(fields=["instrument", "date"], name="one_factor_a_day")]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.date}"


class Bar(models.Model):
    """Open, high, low, close and volume (nan where there is none). No column is null: rows have one width."""

    pk = models.CompositePrimaryKey("series_id", "time")
    series_id = models.IntegerField()
    time = TimePartitionField(interval="1 year", help_text="When the bar opened.")
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField()

    def __str__(self) -> str:
        return f"{self.series_id} {self.time}"


class QuoteBar(models.Model):
    """Open, high, low, close of bid and ask, and volume (nan where there is none)."""

    pk = models.CompositePrimaryKey("series_id", "time")
    series_id = models.IntegerField()
    time = TimePartitionField(interval="1 year", help_text="When the bar opened.")
    bid_open = models.FloatField()
    bid_high = models.FloatField()
    bid_low = models.FloatField()
    bid_close = models.FloatField()
    ask_open = models.FloatField()
    ask_high = models.FloatField()
    ask_low = models.FloatField()
    ask_close = models.FloatField()
    volume = models.FloatField()

    def __str__(self) -> str:
        return f"{self.series_id} {self.time}"


class Tick(models.Model):
    """A quote (bid, ask) or a trade (last, size), the other nan. `sequence` counts the ticks of one time from 0."""

    pk = models.CompositePrimaryKey("series_id", "time", "sequence")
    series_id = models.IntegerField()
    time = TimePartitionField(interval="1 month")
    sequence = models.IntegerField()
    bid = models.FloatField()
    ask = models.FloatField()
    last = models.FloatField()
    size = models.FloatField()

    def __str__(self) -> str:
        return f"{self.series_id} {self.time} {self.sequence}"


class Feed(models.Model):
    """A live feed that was defined; `definition` is an `apps.feeds.defined.FeedDefinition`, as JSON."""

    id = models.CharField(primary_key=True, max_length=64, help_text="The venue of its instruments, in small letters.")
    definition = models.JSONField()
    is_running = models.BooleanField(default=False)
    defined_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.id


class FeedReport(models.Model):
    """How a live feed is, written over every other second by the process that runs it."""

    feed_id = models.CharField(primary_key=True, max_length=64)
    reported_at = models.DateTimeField()
    state = models.CharField(max_length=16, help_text="opening, running, failing or ended")
    problem = models.TextField(blank=True, default="")
    is_stale = models.BooleanField(default=False)
    last_record_at = models.DateTimeField(null=True, help_text="When the last record came, by our clock.")
    opened = models.BigIntegerField(default=0, help_text="How often its source was opened.")
    records = models.BigIntegerField(default=0)
    bars = models.BigIntegerField(default=0)
    revisions = models.BigIntegerField(default=0)
    late = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["feed_id"]

    def __str__(self) -> str:
        return f"{self.feed_id}: {self.state}"
