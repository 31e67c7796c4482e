"""Read models: what people ask of orders, fills, positions, profit, refusals, skips and times.

Every row follows from the logs of the other contexts and from nothing else, so that all tables can be emptied and built
again. Units are those of `apps.execution.contracts`; a time that ends in `_ns` is ns since 1970 UTC, by the clock of
the process that the event came from. Columns of a message stay arrays where a message concerns many accounts (signals,
skips, refusals, quotes) and are unfolded when they are read.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.execution.contracts import ReportKind
from banyan.timescale import TimePartitionField

REFUSED = (ReportKind.DENIED, ReportKind.REFUSED, ReportKind.REJECTED)
CANCELLED = (ReportKind.CANCELLED, ReportKind.EXPIRED, ReportKind.NEVER_ARRIVED)


def _numbers() -> "ArrayField[list[int], list[int]]":
    return ArrayField(models.BigIntegerField())


def _names() -> "ArrayField[list[str], list[str]]":
    return ArrayField(models.TextField())


class Mark(models.Model):
    """How far the log of a source's key has been taken; it moves in the transaction that writes what the log gave."""

    pk = models.CompositePrimaryKey("reader", "source", "key")
    reader = models.CharField(max_length=20, help_text="Who reads: `reporting` or `books`.")
    source = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    number = models.BigIntegerField()
    received_at_ns = models.BigIntegerField(help_text="Of the last record: a log that was put back differs in it.")

    def __str__(self) -> str:
        return f"{self.reader}: {self.source}/{self.key} {self.number}"


class BookState(models.Model):
    """What the writer of tradebooks and orderbooks knows of a shard: accounts, lot steps. Kept for ever."""

    shard = models.TextField(primary_key=True)
    known = models.BinaryField()

    def __str__(self) -> str:
        return self.shard


class Account(models.Model):
    """An account, and what it was worth when it was last valued."""

    number = models.BigIntegerField(primary_key=True)
    id = models.TextField(unique=True)
    client = models.TextField(db_index=True)
    broker = models.TextField()
    currency = models.TextField()
    via = models.TextField(
        db_default="", help_text="Over which currency is converted where no pair is of both; empty: over none."
    )
    time_zone = models.TextField()
    deposit_micro = models.BigIntegerField()
    opened_at_ns = models.BigIntegerField()
    valued_at_ns = models.BigIntegerField(default=0)
    balance_micro = models.BigIntegerField(default=0)
    equity_micro = models.BigIntegerField(default=0)
    margin_micro = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.id


class Instrument(models.Model):
    """The terms of an instrument, as they were told last."""

    id = models.TextField(primary_key=True)
    currency = models.TextField()
    tick_e9 = models.BigIntegerField()
    lot_step_e9 = models.BigIntegerField()
    contract_e9 = models.BigIntegerField()
    told_at_ns = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.id


class Order(models.Model):
    """An order and its life so far: when it reached each stage, what was filled, and how it ended.

    Kept 400 days after it ended.
    """

    pk = models.CompositePrimaryKey("account", "instrument", "decision")
    account = models.BigIntegerField()
    instrument = models.TextField()
    decision = models.BigIntegerField()
    set = models.TextField(null=True)
    book = models.TextField(null=True, help_text="The one book whose order it is; empty: its fills list theirs.")
    steps = models.BigIntegerField(null=True)
    order_type = models.SmallIntegerField(null=True)
    reduce_only = models.BooleanField(null=True)
    bid_ticks = models.BigIntegerField(null=True, help_text="The quote of the decision.")
    ask_ticks = models.BigIntegerField(null=True)
    decided_at_ns = models.BigIntegerField(null=True, help_text="Event time: the close of the bar that decided.")
    signalled_at_ns = models.BigIntegerField(null=True)
    requested_at_ns = models.BigIntegerField(null=True)
    requested_number = models.BigIntegerField(null=True, help_text="Of the record of execution's log.")
    approved_at_ns = models.BigIntegerField(null=True)
    sent_at_ns = models.BigIntegerField(null=True)
    accepted_at_ns = models.BigIntegerField(null=True)
    unknown_at_ns = models.BigIntegerField(null=True)
    first_fill_ns = models.BigIntegerField(null=True)
    last_fill_ns = models.BigIntegerField(null=True)
    ended_at_ns = models.BigIntegerField(null=True)
    is_unknown = models.BooleanField(null=True)
    end_kind = models.SmallIntegerField(null=True, help_text="A ReportKind.")
    end_code = models.BigIntegerField(null=True)
    end_text = models.TextField(null=True)
    answered_at_ns = models.BigIntegerField(null=True)
    answer = models.TextField(null=True, help_text="What came of what a person has said of it last, in words.")
    filled_steps = models.BigIntegerField(default=0)
    fills = models.BigIntegerField(default=0)
    amount_micro = models.BigIntegerField(default=0)
    fee_micro = models.BigIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["-requested_at_ns", "-account"], name="reporting_order_newest"),
            models.Index(fields=["account", "-requested_at_ns"]),
            models.Index(fields=["set", "signalled_at_ns"]),
            models.Index(
                fields=["-requested_at_ns", "-account"],
                name="reporting_order_unknown",
                condition=models.Q(is_unknown=True),
            ),
            models.Index(
                fields=["-requested_at_ns", "-account"],
                name="reporting_order_working",
                condition=models.Q(end_kind__isnull=True)
                & (models.Q(filled_steps__lt=models.F("steps")) | models.Q(filled_steps__gt=models.F("steps"))),
            ),
            models.Index(
                fields=["-requested_at_ns", "-account"],
                name="reporting_order_refused",
                condition=models.Q(end_kind__in=[int(each) for each in REFUSED]),
            ),
            models.Index(
                fields=["-requested_at_ns", "-account"],
                name="reporting_order_cancelled",
                condition=models.Q(end_kind__in=[int(each) for each in CANCELLED]),
            ),
            models.Index(
                fields=["account", "-requested_at_ns"],
                name="reporting_order_ended",
                condition=models.Q(end_kind__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.instrument} {self.decision}"


class OrderChange(models.Model):
    """Orders of which a record of execution's log has said something, as arrays: the order of changes. Kept 90 days."""

    pk = models.CompositePrimaryKey("shard", "number", "at")
    shard = models.TextField()
    number = models.BigIntegerField(help_text="Of the record of execution's log.")
    at = TimePartitionField(interval="7 days")
    changed_at_ns = models.BigIntegerField()
    instruments = _names()
    account = _numbers()
    instrument = _numbers()
    decision = _numbers()

    class Meta:
        indexes = [models.Index(fields=["-changed_at_ns"])]

    def __str__(self) -> str:
        return f"{self.shard} {self.number}"


class Fill(models.Model):
    """Lots that a book got or gave: a part of an order's fill, or lots that were booked without one. Kept 10 years."""

    class Kind(models.IntegerChoices):
        """How the lots came to the book; beyond FILLED, the Booking of `execution.lots-booked` plus 1."""

        FILLED = 0
        CROSSED = 1
        OUTSIDE = 2
        RECONCILED = 3

    pk = models.CompositePrimaryKey("shard", "number", "event", "row", "part", "at")
    shard = models.TextField()
    number = models.BigIntegerField(help_text="Of the record of execution's log.")
    event = models.IntegerField()
    row = models.IntegerField()
    part = models.IntegerField()
    at = TimePartitionField(interval="3 months")
    filled_at_ns = models.BigIntegerField()
    day = models.DateField(help_text="In the account's zone.")
    account = models.BigIntegerField()
    instrument = models.TextField()
    decision = models.BigIntegerField()
    book = models.TextField()
    kind = models.SmallIntegerField(choices=Kind)
    steps = models.BigIntegerField()
    price_e9 = models.BigIntegerField()
    amount_micro = models.BigIntegerField()
    fee_micro = models.BigIntegerField()
    realised_micro = models.BigIntegerField()
    execution_id = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "-filled_at_ns"]),
            models.Index(fields=["-filled_at_ns", "-shard", "-number"], name="reporting_fill_newest"),
            models.Index(fields=["account", "decision"], name="reporting_fill_of_order"),
        ]

    def __str__(self) -> str:
        return f"{self.shard} {self.number} {self.event} {self.row} {self.part}"


class Position(models.Model):
    """What a book of an account holds, what that has cost, and what it has earned so far. Kept for ever."""

    pk = models.CompositePrimaryKey("account", "instrument", "book")
    account = models.BigIntegerField()
    instrument = models.TextField()
    book = models.TextField()
    steps = models.BigIntegerField()
    cost_micro = models.BigIntegerField(help_text="Of what is held: paid > 0, received for what was sold short < 0.")
    realised_micro = models.BigIntegerField()
    fee_micro = models.BigIntegerField()
    fills = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account} {self.instrument} {self.book}"


class Day(models.Model):
    """A book's day, in its account's zone: what it earned, and what it held at the day's end. Kept for ever."""

    pk = models.CompositePrimaryKey("account", "instrument", "book", "day")
    account = models.BigIntegerField()
    instrument = models.TextField()
    book = models.TextField()
    day = models.DateField()
    realised_micro = models.BigIntegerField()
    fee_micro = models.BigIntegerField()
    fills = models.BigIntegerField()
    bought_steps = models.BigIntegerField()
    sold_steps = models.BigIntegerField()
    steps = models.BigIntegerField()
    cost_micro = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account} {self.instrument} {self.book} {self.day}"


class Price(models.Model):
    """The last close of an instrument on a day, UTC. Kept for ever."""

    pk = models.CompositePrimaryKey("instrument", "day")
    instrument = models.TextField()
    day = models.DateField()
    closed_at_ns = models.BigIntegerField()
    bid_ticks = models.BigIntegerField()
    ask_ticks = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.instrument} {self.day}"


class Quote(models.Model):
    """Closes of bars as a feed let them in: what an order's price at arrival is taken from. Kept 90 days."""

    pk = models.CompositePrimaryKey("feed", "number", "event", "at")
    feed = models.TextField()
    number = models.BigIntegerField()
    event = models.IntegerField()
    at = TimePartitionField(interval="7 days")
    received_at_ns = models.BigIntegerField(db_index=True)
    closed_at_ns = models.BigIntegerField()
    instruments = _names()
    bid_ticks = _numbers()
    ask_ticks = _numbers()

    def __str__(self) -> str:
        return f"{self.feed} {self.number}"


class FeedEvent(models.Model):
    """What happened to a feed, but for its bars: stale, back, a gap, a record that was not let in. Kept 90 days."""

    pk = models.CompositePrimaryKey("feed", "number", "event", "at")
    feed = models.TextField()
    number = models.BigIntegerField()
    event = models.IntegerField()
    at = TimePartitionField(interval="1 month")
    said_at_ns = models.BigIntegerField()
    what = models.TextField()
    instrument = models.TextField()
    detail = models.TextField()

    def __str__(self) -> str:
        return f"{self.feed} {self.number} {self.what}"


class Signal(models.Model):
    """A `signals.target-set` as it was said; `body` is the message. Kept 400 days."""

    pk = models.CompositePrimaryKey("set", "number", "event", "at")
    set = models.TextField()
    number = models.BigIntegerField()
    event = models.IntegerField()
    at = TimePartitionField(interval="1 month")
    said_at_ns = models.BigIntegerField()
    decided_at_ns = models.BigIntegerField()
    set_version = models.BigIntegerField()
    instruments = _names()
    body = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["-said_at_ns"])]

    def __str__(self) -> str:
        return f"{self.set} {self.number}"


class Skip(models.Model):
    """Accounts that a target gave no order, as arrays: one row per shard and target. Kept 400 days."""

    pk = models.CompositePrimaryKey("shard", "number", "event", "at")
    shard = models.TextField()
    number = models.BigIntegerField()
    event = models.IntegerField()
    at = TimePartitionField(interval="1 month")
    skipped_at_ns = models.BigIntegerField()
    set = models.TextField()
    instruments = _names()
    account = _numbers()
    instrument = _numbers()
    reason = _numbers()
    level = _numbers()
    signalled_at_ns = models.BigIntegerField(
        null=True, help_text="When the set said it; null: it was said long before."
    )

    class Meta:
        indexes = [
            models.Index(fields=["set", "signalled_at_ns"]),
            models.Index(fields=["-skipped_at_ns", "-shard", "-number", "-event"], name="reporting_skip_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.shard} {self.number}"


class Cash(models.Model):
    """Cash that came to an account or a book without a fill: payments, swap, dividends. Kept for ever."""

    pk = models.CompositePrimaryKey("shard", "number", "event", "row")
    shard = models.TextField()
    number = models.BigIntegerField()
    event = models.IntegerField()
    row = models.IntegerField()
    at_ns = models.BigIntegerField()
    day = models.DateField(help_text="In the account's zone.")
    account = models.BigIntegerField()
    book = models.TextField(help_text="Empty: a payment, which is of the whole account.")
    instrument = models.TextField()
    kind = models.SmallIntegerField(help_text="A CashKind.")
    amount_micro = models.BigIntegerField()
    reference = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["account", "day"]), models.Index(fields=["day"])]

    def __str__(self) -> str:
        return f"{self.shard} {self.number} {self.event} {self.row}"


class Setting(models.Model):
    """What was set for a set, a subscription or an account, as the command that did. Kept for ever."""

    pk = models.CompositePrimaryKey("shard", "number", "event")
    shard = models.TextField()
    number = models.BigIntegerField()
    event = models.IntegerField()
    level = models.SmallIntegerField(help_text="A SettingLevel.")
    set = models.TextField()
    account = models.BigIntegerField(null=True)
    body = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["account", "set"])]

    def __str__(self) -> str:
        return f"{self.shard} {self.number}"


class TradingState(models.Model):
    """What may be traded, as risk last said: of all, a set, an instrument or an account. Kept for ever."""

    pk = models.CompositePrimaryKey("level", "name", "cause")
    level = models.SmallIntegerField(help_text="A Level of risk.")
    name = models.TextField(help_text="The set, the instrument, the account's number; empty: all.")
    cause = models.SmallIntegerField(help_text="0: people; else the RefusalReason of the loss that stopped it.")
    state = models.SmallIntegerField(help_text="A TradingState of risk.")
    reason = models.TextField()
    changed_at_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.level} {self.name} {self.state}"


class Refusal(models.Model):
    """Orders that were refused by risk, by the edge or by their venue, as arrays. Kept 400 days."""

    class By(models.TextChoices):
        """Who refused."""

        RISK = "risk"
        EDGE = "edge"
        VENUE = "venue"

    pk = models.CompositePrimaryKey("shard", "number", "event", "by", "at")
    shard = models.TextField()
    number = models.BigIntegerField()
    event = models.IntegerField(help_text="-1: the record's input.")
    by = models.TextField(choices=By)
    at = TimePartitionField(interval="1 month")
    refused_at_ns = models.BigIntegerField()
    instruments = _names()
    account = _numbers()
    instrument = _numbers()
    decision = _numbers()
    reason = _numbers()
    level = _numbers()
    bound = _numbers()
    actual = _numbers()
    texts = _names()

    class Meta:
        indexes = [models.Index(fields=["-refused_at_ns", "-shard", "-number"], name="reporting_refusal_newest")]

    def __str__(self) -> str:
        return f"{self.shard} {self.number} {self.by}"


class Unmet(models.Model):
    """What somebody has asked of execution and has not got: a command that was refused, an order by hand that was none.

    Kept 400 days.
    """

    pk = models.CompositePrimaryKey("shard", "number", "event")
    shard = models.TextField()
    number = models.BigIntegerField(help_text="Of the record of execution's log.")
    event = models.IntegerField()
    unmet_at_ns = models.BigIntegerField()
    command_id = models.TextField(db_index=True)
    command = models.TextField(help_text="What was asked, such as place-manual-order.")
    account = models.BigIntegerField(null=True)
    reason = models.TextField(help_text="Why it was refused; empty: `skip` says why nothing was ordered.")
    skip = models.SmallIntegerField(help_text="A SkipReason.")

    def __str__(self) -> str:
        return f"{self.shard} {self.number} {self.command}"
