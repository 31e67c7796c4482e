"""From what a source gives to what its feed is told."""

from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.feeds.adapters.port import Given, Reading
from apps.feeds.catalogue import shipped_instruments
from apps.feeds.contracts import QuarantineRecords, ReceiveBars
from apps.feeds.core import FEEDS
from apps.feeds.files import read_checked
from apps.feeds.live import message_id
from apps.feeds.pipeline import FeedPipeline, FeedSpec
from apps.feeds.records import COLUMNS, Kind, Reason, Records, Reject
from apps.feeds.resampling import resample
from apps.feeds.sample_data import SAMPLE
from banyan.messages import Received
from trading.instruments import Instrument
from trading.intervals import HOUR, MINUTE, SECOND

NAME = "TEST:A"
A = Instrument(id=NAME, tick_size=0.01)
BEGIN = int(np.datetime64("2024-03-08T14:00", "ns").astype(np.int64))


def pipeline(*intervals: int, **options) -> FeedPipeline:
    names = options.pop("names", [NAME])
    known = options.pop("known", {})
    instruments = {name: Instrument(id=name, tick_size=0.01) for name in names}
    return FeedPipeline(FeedSpec("test", instruments, intervals, **options), known)


def ticks(seconds: list[float], bid: list[float], ask: list[float] | None = None, name: str = NAME, **options) -> Given:
    time = BEGIN + (np.array(seconds) * SECOND).astype(np.int64)
    nan = np.full(time.size, np.nan)
    values = np.array([bid, bid if ask is None else ask, nan, nan], np.float64)
    return Given(name, 0, Records(Kind.TICKS, time, values, np.arange(time.size) + 1), ("bid", "ask"), **options)


def trades(seconds: list[float], last: list[float], size: list[float]) -> Given:
    time = BEGIN + (np.array(seconds) * SECOND).astype(np.int64)
    nan = np.full(time.size, np.nan)
    values = np.array([nan, nan, last, size])
    return Given(NAME, 0, Records(Kind.TICKS, time, values, np.arange(time.size) + 1), ("last", "size"))


def bars(minutes: list[int], closes: list[float], interval: int = MINUTE, name: str = NAME) -> Given:
    time = BEGIN + np.array(minutes) * interval
    values = np.array([closes, closes, closes, closes, np.ones(time.size)])
    return Given(name, interval, Records(Kind.BARS, time, values, np.arange(time.size) + 1), COLUMNS[Kind.BARS])


def told(messages: list, kind: type) -> list:
    return [each for each in messages if isinstance(each, kind)]


def reasons(messages: list) -> list[tuple[str, int]]:
    return [
        (reason, count)
        for each in told(messages, QuarantineRecords)
        for reason, count in zip(each.reasons, each.counts.tolist(), strict=True)
    ]


def test_quotes_become_bars_in_whole_ticks_when_their_time_has_passed():
    feed = pipeline(MINUTE, wait_ns=0)
    feed.begin(0)
    quotes = ticks([0, 20, 40], [1.00, 1.05, 0.99], [1.01, 1.06, 1.00])
    assert feed.take(Reading((quotes,), is_current=True), BEGIN + 50 * SECOND) == []
    assert feed.due_ns() == BEGIN + MINUTE
    (bar,) = feed.pass_time(BEGIN + MINUTE)
    assert (bar.feed, bar.closed_at_ns, bar.instruments) == ("test", BEGIN + MINUTE, [NAME])
    sides = [getattr(bar, f"{side}_{name}")[0] for side in ("bid", "ask") for name in ("open", "high", "low", "close")]
    assert sides == [100, 105, 99, 99, 101, 106, 100, 100]
    assert (bar.volume_e6.tolist(), bar.revision.size) == ([-1], 0)


def test_trades_become_bars_with_both_sides_equal_and_their_volume():
    feed = pipeline(MINUTE)
    (bar,) = feed.take(Reading((trades([0, 20], [1.0, 1.1], [0.5, 0.25]),), is_current=True), BEGIN + HOUR)
    assert (bar.bid_close.tolist(), bar.ask_close.tolist(), bar.volume_e6.tolist()) == ([110], [110], [750_000])


def test_bars_that_close_together_are_one_message_and_messages_come_in_order():
    feed = pipeline(MINUTE, 5 * MINUTE, names=["TEST:A", "TEST:B"])
    given_ = [ticks([0, 61], [1.0, 1.0]), ticks([1, 62, 310], [2.0, 2.0, 2.0], name="TEST:B")]
    messages = feed.take(Reading(tuple(given_)), 0)
    assert [(each.closed_at_ns - BEGIN, each.interval_ns, each.instruments) for each in messages] == [
        (MINUTE, MINUTE, ["TEST:A", "TEST:B"]),
        (2 * MINUTE, MINUTE, ["TEST:A", "TEST:B"]),
        (5 * MINUTE, 5 * MINUTE, ["TEST:A", "TEST:B"]),
    ]


def test_what_imports_refuse_is_refused_with_the_same_reason_and_the_rest_goes_on():
    feed = pipeline(MINUTE)
    bad = ticks([0, 1, 2, 3, 4], [1.0, np.nan, -1.0, 1.2, 1.005], [1.0, 1.0, 1.0, 1.1, 1.01])
    unreadable = bad._replace(rejects=(Reject(9, Reason.UNREADABLE, "2 columns", "a,b"),))
    messages = feed.take(Reading((unreadable,), is_current=True), BEGIN + HOUR)
    assert sorted(reasons(messages)) == [
        ("bid-above-ask", 1), ("nan", 1), ("not-positive", 1), ("off-tick", 1), ("unreadable", 1)
    ]  # fmt: skip
    assert told(messages, QuarantineRecords)[0].records[0] == "line 9: 2 columns: a,b"
    assert [each.bid_close.tolist() for each in told(messages, ReceiveBars)] == [[100]]
    assert feed.counts.quarantined == 5


def test_a_price_that_leaves_and_comes_back_and_a_time_in_the_future_are_refused():
    feed = pipeline(MINUTE)
    rng = np.random.default_rng(5)
    prices = np.round(100 + np.cumsum(rng.integers(-1, 2, 300)) * 0.01, 2)
    prices[250] = 10.0
    seconds = (np.arange(300) / 10).tolist()
    messages = feed.take(Reading((ticks(seconds, prices.tolist()),), is_current=True), BEGIN + HOUR)
    assert reasons(messages) == [("jump", 1)]
    messages = feed.take(Reading((ticks([7_200], [100.0]),), is_current=True), BEGIN + HOUR + 2 * SECOND)
    assert reasons(messages) == [("bad-time", 1)]


def test_a_flood_of_bad_records_is_counted_and_not_kept_one_by_one():
    feed = pipeline(MINUTE)
    feed.take(Reading((ticks([0], [-1.0]),), is_current=True), BEGIN + HOUR)
    messages = []
    for second in range(3):
        flood = ticks(list(np.arange(1_000) / 1e3), [-1.0] * 1_000)
        messages.append(reasons(feed.take(Reading((flood,), is_current=True), BEGIN + HOUR + second * SECOND // 4)))
    messages.append(reasons(feed.pass_time(BEGIN + HOUR + SECOND)))
    assert messages[:3] == [[], [], []]
    assert len(messages[3]) == 21
    assert sum(count for _, count in messages[3]) == 3_000


def test_a_late_tick_is_told_as_a_revision_and_one_that_is_too_late_is_counted():
    feed = pipeline(MINUTE, wait_ns=0, lateness_ns=30 * SECOND)
    feed.take(Reading((ticks([0], [1.0]),), is_current=True), BEGIN + MINUTE)
    (revised,) = feed.take(Reading((ticks([5], [2.0]),), is_current=True), BEGIN + 80 * SECOND)
    assert (revised.revision.tolist(), revised.bid_high.tolist()) == ([1], [200])
    assert reasons(feed.take(Reading((ticks([6, 7], [2.0, 2.0]),), is_current=True), BEGIN + HOUR)) == [("late", 2)]
    assert (feed.counts.late, feed.counts.revisions, feed.counts.bars) == (2, 1, 1)


def test_the_newest_quote_of_each_instrument_is_told_once():
    feed = pipeline(MINUTE, names=["TEST:A", "TEST:B"])
    feed.take(Reading((ticks([0, 1, 2], [1.0, 2.0, 3.0]), ticks([1], [9.0], name="TEST:B")), is_current=True), BEGIN)
    quotes = feed.quotes()
    assert dict(zip(quotes.instruments, quotes.bid_ticks.tolist(), strict=True)) == {"TEST:A": 300, "TEST:B": 900}
    assert feed.quotes() is None
    feed.take(Reading((ticks([3], [4.0]),), is_current=True), BEGIN)
    assert feed.quotes().instruments == ["TEST:A"]


def test_bars_pass_as_they_are_and_those_known_already_are_passed_over():
    feed = pipeline(known={(NAME, MINUTE): BEGIN + MINUTE})
    messages = feed.take(Reading((bars([0, 1, 2], [1.0, 2.0, 3.0]),)), 0)
    assert [(each.closed_at_ns, each.bid_close.tolist()) for each in messages] == [
        (BEGIN + 2 * MINUTE, [200]), (BEGIN + 3 * MINUTE, [300])
    ]  # fmt: skip
    assert feed.take(Reading((bars([1, 2], [2.0, 3.0]),)), 0) == []
    assert feed.known_until_ns() == BEGIN + 2 * MINUTE


@cache
def real_ticks() -> Records:
    return read_checked(SAMPLE / "eurusd_ticks_2014-05-02.csv.gz", (Kind.TICKS,), None, None)[0]


@given(seed=st.integers(0, 2**32))
def test_real_ticks_in_any_batches_are_the_bars_of_the_whole(seed):
    eurusd = shipped_instruments()["OANDA:EURUSD"]
    records = real_ticks()
    rng = np.random.default_rng(seed)
    start = int(rng.integers(0, max(1, len(records) - 3_000)))
    records = records.select(slice(start, start + 3_000))
    feed = FeedPipeline(FeedSpec("oanda", {eurusd.id: eurusd}, [MINUTE], wait_ns=0, max_jump_sigmas=np.inf))
    found, at = [], 0
    while at < len(records):
        stop = at + int(rng.integers(1, 700))
        part = Given(eurusd.id, 0, records.select(slice(at, stop)), ("bid", "ask"))
        found += told(feed.take(Reading((part,)), 0), ReceiveBars)
        at = stop
    _, opens, values = resample(Kind.TICKS, records.time, records.values, 0, MINUTE, eurusd)
    whole = np.rint(values[:8] / eurusd.tick_size).astype(np.int64)
    over = opens + MINUTE <= records.time[-1]
    assert [each.closed_at_ns - MINUTE for each in found] == opens[over].tolist()
    names = [f"{side}_{name}" for side in ("bid", "ask") for name in ("open", "high", "low", "close")]
    for row, name in enumerate(names):
        assert [getattr(each, name)[0] for each in found] == whole[row][over].tolist(), name
    assert reasons(feed.refused()) == []


def test_what_is_told_is_let_in_by_the_feed():
    feed = pipeline(MINUTE, names=["TEST:A", "TEST:B"])
    messages = feed.take(
        Reading((ticks([0, 61, 200], [1.0, 1.1, 1.2]), ticks([5, 70], [2.0, -1.0], name="TEST:B")), is_current=True),
        BEGIN + HOUR,
    )
    state, events = FEEDS.new_state("test"), []
    for message in messages:
        received = Received(message=message, id=message_id(message), key="test", received_at_ns=0, event_time_ns=0)
        for event in FEEDS.decide(state, received):
            state = FEEDS.evolve(state, event)
            events.append(event)
    assert [each.wire_name for each in events] == ["feeds.bar-closed.v1"] * 3 + ["feeds.record-quarantined.v1"]
    assert state.closed_at_ns == {("TEST:A", MINUTE): BEGIN + 4 * MINUTE, ("TEST:B", MINUTE): BEGIN + MINUTE}
