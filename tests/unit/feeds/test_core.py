"""What a feed decides."""

import numpy as np
import pytest

from apps.feeds.contracts import (
    BAR_COLUMNS,
    BarClosed,
    ConfigureFeed,
    FeedConfigured,
    FeedInstrument,
    FeedStale,
    GapDetected,
    Listen,
    ListenerChanged,
    QuarantineRecords,
    ReceiveBars,
    RecordQuarantined,
    ReportSilence,
)
from apps.feeds.core import FEEDS, from_snapshot, listeners_of
from banyan.columns import ints
from banyan.messages import Message, Received
from trading.intervals import DAY, HOUR, MINUTE

FRIDAY = int(np.datetime64("2024-03-08T14:00", "ns").astype(np.int64))


class Feed:
    """A feed that is told things; every state is written and read on the way."""

    def __init__(self) -> None:
        self.state = FEEDS.new_state("test")

    def tell(self, message: Message) -> list[Message]:
        received = Received(message=message, id="any", key="test", received_at_ns=0, event_time_ns=0)
        events = list(FEEDS.decide(self.state, received))
        for event in events:
            self.state = FEEDS.evolve(self.state, event)
        written = FEEDS.to_snapshot(self.state)
        self.state = FEEDS.from_snapshot("test", FEEDS.snapshot_version, written)
        assert FEEDS.to_snapshot(self.state) == written
        return events

    def configure(self, calendar: str) -> list[Message]:
        known = FeedInstrument(id="TEST:A", calendar=calendar, time_zone="America/New_York", day_turn_minutes=-420)
        return self.tell(ConfigureFeed(feed="test", instruments=[known]))


def bars(
    closed_at_ns: int, *, interval: int = MINUTE, names: tuple[str, ...] = ("TEST:A",), revision: int = 0, **columns
) -> ReceiveBars:
    rows = {name: ints([100] * len(names)) for name in BAR_COLUMNS}
    rows |= {name: ints(values) for name, values in columns.items()}
    return ReceiveBars(
        feed="test", interval_ns=interval, closed_at_ns=closed_at_ns, instruments=list(names),
        revision=ints([revision] * len(names)) if revision else ints(), **rows,
    )  # fmt: skip


def kinds(events: list[Message]) -> list[str]:
    return [type(each).__name__ for each in events]


def test_a_bar_is_let_in_once_and_a_revision_only_of_a_bar_that_has_closed():
    feed = Feed()
    assert kinds(feed.tell(bars(FRIDAY))) == ["BarClosed"]
    (again,) = feed.tell(bars(FRIDAY))
    assert (again.reason, again.count) == ("out-of-order", 1)
    (revised,) = feed.tell(bars(FRIDAY, revision=2))
    assert isinstance(revised, BarClosed)
    assert revised.revision.tolist() == [2]
    assert feed.tell(bars(FRIDAY + MINUTE, revision=1))[0].reason == "out-of-order"
    assert kinds(feed.tell(bars(FRIDAY + MINUTE))) == ["BarClosed"]
    assert kinds(feed.tell(bars(FRIDAY, revision=3))) == ["BarClosed"]
    assert feed.state.closed_at_ns == {("TEST:A", MINUTE): FRIDAY + MINUTE}


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"bid_low": [0]}, "not-positive"),
        ({"bid_high": [99]}, "high-low"),
        ({"ask_low": [101]}, "high-low"),
        ({"bid_high": [120]}, "bid-above-ask"),
    ],
)
def test_a_bar_that_cannot_be_is_quarantined_with_the_reason_that_imports_give(columns, reason):
    (refused,) = Feed().tell(bars(FRIDAY, **columns))
    assert (type(refused), refused.reason) == (RecordQuarantined, reason)


def test_one_bad_row_does_not_keep_the_others_out():
    events = Feed().tell(bars(FRIDAY, names=("TEST:A", "TEST:B", "TEST:A")))
    assert [(each.instrument, each.reason) for each in events[:1]] == [("TEST:A", "duplicate-time")]
    assert events[1].instruments == ["TEST:A", "TEST:B"]


def test_bars_that_the_calendar_expects_are_missed_before_the_next_one():
    feed = Feed()
    assert kinds(feed.configure("24x7")) == ["FeedConfigured"]
    assert kinds(feed.tell(bars(FRIDAY))) == ["BarClosed"]
    assert kinds(feed.tell(bars(FRIDAY + MINUTE))) == ["BarClosed"]
    gap, closed = feed.tell(bars(FRIDAY + 5 * MINUTE))
    assert isinstance(gap, GapDetected)
    assert (gap.after_ns, gap.before_ns, gap.interval_ns) == (FRIDAY + MINUTE, FRIDAY + 4 * MINUTE, MINUTE)
    assert isinstance(closed, BarClosed)


def test_a_weekend_is_no_gap_where_nobody_trades_then():
    close = FRIDAY + 8 * HOUR  # 22:00 UTC is 17:00 in New York, when foreign exchange closes
    sunday = close + 2 * DAY - HOUR  # and by then the clock has been put forward
    for calendar, wanted in (("24x5", ["BarClosed"]), ("24x7", ["GapDetected", "BarClosed"])):
        feed = Feed()
        feed.configure(calendar)
        feed.tell(bars(close, interval=HOUR))
        assert kinds(feed.tell(bars(sunday + HOUR, interval=HOUR))) == wanted, calendar


def test_of_a_feed_that_nobody_configured_nothing_is_missed():
    feed = Feed()
    feed.tell(bars(FRIDAY))
    assert kinds(feed.tell(bars(FRIDAY + HOUR))) == ["BarClosed"]


def test_configuring_a_feed_alike_again_changes_nothing():
    feed = Feed()
    (event,) = feed.configure("24x7")
    assert isinstance(event, FeedConfigured)
    assert feed.configure("24x7") == []


def test_a_silence_is_told_once_and_its_end_once():
    feed = Feed()
    silent, back = (ReportSilence(feed="test", last_tick_ns=5, is_silent=each) for each in (True, False))
    assert feed.tell(back) == []
    (stale,) = feed.tell(silent)
    assert isinstance(stale, FeedStale)
    assert (stale.is_stale, stale.last_tick_ns) == (True, 5)
    assert feed.tell(silent) == []
    assert [each.is_stale for each in feed.tell(back)] == [False]


def test_what_a_source_could_not_give_is_kept_row_by_row_and_cut():
    events = Feed().tell(
        QuarantineRecords(
            feed="test", instruments=["TEST:A", "TEST:B"], reasons=["nan", "late"], records=["x" * 600, "y"],
            event_time_ns=ints([1, 2]), counts=ints([1, 7]),
        )
    )  # fmt: skip
    assert [(len(each.record), each.reason, each.count, each.event_time_ns) for each in events] == [
        (500, "nan", 1, 1), (1, "late", 7, 2)
    ]  # fmt: skip


def test_a_snapshot_of_version_1_is_read():
    state = from_snapshot("test", 1, b'[["TEST:A",60000000000,120000000000]]')
    assert (state.closed_at_ns, state.instruments, state.is_stale) == ({("TEST:A", MINUTE): 2 * MINUTE}, {}, False)


def test_bars_go_to_the_sets_that_listen_and_a_feed_of_before_has_none():
    feed = Feed()
    for name in ("trend", "carry"):
        [event] = feed.tell(Listen(set=name, listens=True))
        assert isinstance(event, ListenerChanged)
        assert (event.feed, event.set, event.listens) == ("test", name, True)
    assert feed.tell(Listen(set="trend", listens=True)) == []
    assert listeners_of("test", feed.tell(bars(HOUR))[0], feed.state) == ["carry", "trend"]
    assert kinds(feed.tell(Listen(set="carry", listens=False))) == ["ListenerChanged"]
    assert listeners_of("test", feed.tell(bars(2 * HOUR))[0], feed.state) == ["trend"]
    before = b'{"closed_at_ns":[["TEST:A",60000000000,120000000000]],"instruments":[],"is_stale":true}'
    state = from_snapshot("test", 2, before)
    assert (state.listeners, state.is_stale) == (frozenset(), True)
