"""What market data tells the other contexts. Prices are whole ticks of the instrument, times ns since 1970 UTC."""

import msgspec

from banyan.columns import Ints, ints
from banyan.messages import Message, message


@message("feeds.bar-closed.v1")
class BarClosed(Message, frozen=True, kw_only=True):
    """Bars of one interval that closed at the same time, one row per instrument; key: the feed.

    Bid and ask OHLC in whole ticks; where a feed has trades and no quotes both sides are equal. `volume_e6` is in
    millionths of a unit, -1 where it is not known. `revision` is 0 for a bar's first close and rises when a late tick
    changes it.
    """

    feed: str
    interval_ns: int
    closed_at_ns: int
    instruments: list[str]
    revision: Ints
    bid_open: Ints
    bid_high: Ints
    bid_low: Ints
    bid_close: Ints
    ask_open: Ints
    ask_high: Ints
    ask_low: Ints
    ask_close: Ints
    volume_e6: Ints


@message("feeds.gap-detected.v1")
class GapDetected(Message, frozen=True, kw_only=True):
    """A feed gave nothing for an instrument between two times at which its session was open."""

    feed: str
    instrument: str
    interval_ns: int
    after_ns: int
    before_ns: int


@message("feeds.record-quarantined.v1")
class RecordQuarantined(Message, frozen=True, kw_only=True):
    """A record from outside that was not let in; `record` is what was received, cut to 500 characters.

    `count` is how many there were like it, where they came too fast to keep each. Of reason `late` are ticks that came
    too late to change the bar that they belong to.
    """

    feed: str
    instrument: str
    reason: str
    record: str
    event_time_ns: int
    count: int = 1


@message("feeds.feed-stale.v1")
class FeedStale(Message, frozen=True, kw_only=True):
    """A feed has given nothing for longer than it may; `is_stale` false says that it is back."""

    feed: str
    last_tick_ns: int
    is_stale: bool


@message("feeds.quote-ticked.v1")
class QuoteTicked(Message, frozen=True, kw_only=True):
    """The newest quote of each instrument that moved, conflated; not kept in any log."""

    feed: str
    instruments: list[str]
    bid_ticks: Ints
    ask_ticks: Ints
    event_time_ns: Ints


@message("feeds.receive-bars.v1")
class ReceiveBars(Message, frozen=True, kw_only=True):
    """Bars as a source gives them, not checked yet; the fields are those of `BarClosed`. Key: the feed.

    Without `revision` all are first closes.
    """

    feed: str
    interval_ns: int
    closed_at_ns: int
    instruments: list[str]
    bid_open: Ints
    bid_high: Ints
    bid_low: Ints
    bid_close: Ints
    ask_open: Ints
    ask_high: Ints
    ask_low: Ints
    ask_close: Ints
    volume_e6: Ints
    revision: Ints = msgspec.field(default_factory=ints)


class FeedInstrument(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument of a feed, and when it trades: what `trading.instruments.Instrument` says of that."""

    id: str
    calendar: str
    time_zone: str
    day_turn_minutes: int


@message("feeds.configure-feed.v1")
class ConfigureFeed(Message, frozen=True, kw_only=True):
    """Say which instruments a feed has: of these, and of no others, bars are missed. Key: the feed."""

    feed: str
    instruments: list[FeedInstrument]


@message("feeds.feed-configured.v1")
class FeedConfigured(Message, frozen=True, kw_only=True):
    """A feed has these instruments now."""

    feed: str
    instruments: list[FeedInstrument]


@message("feeds.quarantine-records.v1")
class QuarantineRecords(Message, frozen=True, kw_only=True):
    """Keep what a source gave and what cannot be true; a row is one `RecordQuarantined`. Key: the feed."""

    feed: str
    instruments: list[str]
    reasons: list[str]
    records: list[str]
    event_time_ns: Ints
    counts: Ints


@message("feeds.report-silence.v1")
class ReportSilence(Message, frozen=True, kw_only=True):
    """Say that a feed gives nothing, or that it does again. `last_tick_ns` is 0 where nothing has come yet."""

    feed: str
    last_tick_ns: int
    is_silent: bool


@message("feeds.listen.v1")
class Listen(Message, frozen=True, kw_only=True):
    """Give a strategy set the bars of a feed from now on, or do so no longer. Key: the feed."""

    set: str
    listens: bool


@message("feeds.listener-changed.v1")
class ListenerChanged(Message, frozen=True, kw_only=True):
    """A strategy set gets the bars of a feed from now on, or does so no longer."""

    feed: str
    set: str
    listens: bool


class BarsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """How many bars of an instrument and an interval are asked for."""

    instrument: str
    interval_ns: int
    count: int


@message("feeds.find-bars.v1")
class FindBars(Message, frozen=True, kw_only=True):
    """A question: the last bars of a feed that closed before a time, of each channel so many. Answer: `BarsFound`."""

    feed: str
    before_ns: int
    wanted: list[BarsWanted]


@message("feeds.bars-found.v1")
class BarsFound(Message, frozen=True, kw_only=True):
    """The bars that were asked for, oldest first: there may be fewer, and none from before a long hole."""

    bars: list[BarClosed]


BAR_COLUMNS = (
    "bid_open", "bid_high", "bid_low", "bid_close", "ask_open", "ask_high", "ask_low", "ask_close", "volume_e6",
)  # fmt: skip
"""The columns that `ReceiveBars` and `BarClosed` share."""
