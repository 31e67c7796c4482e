"""All live feeds of a process: each on its own, whatever becomes of the others."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import psycopg
import pytest

from apps.feeds.adapters.memory import MemoryAdapter
from apps.feeds.adapters.port import Given, Reading
from apps.feeds.adapters.replay import Pace, Past, ReplayAdapter
from apps.feeds.beside import Beside
from apps.feeds.contracts import ConfigureFeed, ReceiveBars, ReportSilence
from apps.feeds.defined import REPLAY, TAIL, FeedDefinition
from apps.feeds.records import Kind, Records
from apps.feeds.running import _WAITING_MAX
from apps.feeds.worker import FeedsWorker
from banyan.clock import VirtualClock
from banyan.codec import decode_message
from banyan.messages import Message
from banyan.transport import Command, LocalTransport
from tests.patience import PATIENCE_SECONDS
from trading.instruments import Instrument
from trading.intervals import DAY, MILLISECOND, SECOND

BEGIN = int(np.datetime64("2024-03-06T14:00", "ns").astype(np.int64))  # a Wednesday


class Told:
    """A directory in memory, which can be away; what feeds are told is kept once for each id, as the database does."""

    def __init__(self) -> None:
        self.definitions: list[FeedDefinition] = []
        self.commands: dict[str, Command] = {}
        self.reports: dict[str, tuple[str, str, bool]] = {}
        self.closed_at_ns: dict[str, dict[tuple[str, int], int]] = {}
        self.is_away = False
        self.refusals = 0
        self.changed = threading.Condition()

    def wanted(self) -> Sequence[FeedDefinition]:
        return list(self.definitions)

    def known(self, feed: str) -> Mapping[tuple[str, int], int]:
        return self.closed_at_ns.get(feed, {})

    def tell(self, commands: Sequence[Command]) -> None:
        if self.is_away:
            self.refusals += 1
            raise psycopg.OperationalError("away")
        with self.changed:
            for command in commands:
                self.commands.setdefault(command.id, command)
            self.changed.notify_all()

    def report(self, feeds: Sequence) -> None:
        with self.changed:
            self.reports.update({each.name: (each.state, each.problem, bool(each.is_silent)) for each in feeds})
            self.changed.notify_all()

    def close(self) -> None:
        pass

    def messages(self, feed: str, kind: type[Message]) -> list:
        return [each.message for each in self.commands.values() if each.key == feed and isinstance(each.message, kind)]

    def closes(self, feed: str) -> list[float]:
        """Return when the bars of a feed closed, in seconds after the beginning."""
        return [(each.closed_at_ns - BEGIN) / SECOND for each in self.messages(feed, ReceiveBars)]

    def until(self, what: str, is_so: Callable[[], bool]) -> None:
        with self.changed:
            for _ in range(int(PATIENCE_SECONDS / 0.05)):
                if is_so():
                    return
                self.changed.wait(0.05)
        raise AssertionError(f"{what} did not come about: {self.reports}")


class Flood:
    """A source that always has five thousand ticks more."""

    def __init__(self) -> None:
        self.reads = 0
        self.is_closed = False

    def open(self, after_ns: int) -> int:
        return after_ns

    def read(self, seconds: float) -> Reading | None:
        self.reads += 1
        return None if self.is_closed else Reading((ticks("FLOOD:A", [0.0] * 5_000),), is_current=True)

    def close(self) -> None:
        self.is_closed = True


class Desk:
    """A worker with sources in memory; `source(feed)` is the adapter that was made for it last."""

    def __init__(self, beside: Callable[[VirtualClock], Beside] | None = None) -> None:
        self.clock = VirtualClock(BEGIN)
        self.told = Told()
        self.made: dict[str, list] = {}
        self.kinds: dict[str, Callable] = {}
        self.quotes: list = []
        self._stop = threading.Event()
        self.worker = FeedsWorker(
            self.told, self._make, self.clock, publish=self.quotes.append,
            beside=None if beside is None else beside(self.clock),
        )  # fmt: skip
        self._thread = threading.Thread(target=self.worker.run, args=(self._stop,), daemon=True)

    def _make(self, definition: FeedDefinition, is_done: Callable[[], bool]):
        self.is_done = is_done
        made = self.kinds.get(definition.feed, lambda: MemoryAdapter(self.clock))()
        self.made.setdefault(definition.feed, []).append(made)
        return made

    def define(self, feed: str, **options) -> None:
        instrument = Instrument(id=f"{feed.upper()}:A", tick_size=0.01, calendar=options.pop("calendar", "24x7"))
        options = {"bars_ns": [SECOND], "wait_ns": 0, "stale_after_ns": 30 * SECOND} | options
        definition = FeedDefinition(feed=feed, source=options.pop("source", TAIL), instruments=[instrument], **options)
        kept = [each for each in self.told.definitions if each.feed != feed]
        self.told.definitions = [*kept, definition]

    def start(self) -> None:
        self._thread.start()
        for definition in self.told.definitions:
            self.until_open(definition.feed, 1)

    def until_open(self, feed: str, times: int) -> None:
        self.told.until(f"opening of {feed}", lambda: feed in self.worker.feeds)
        if feed not in self.kinds:
            self.told.until(f"opening {times} of {feed}", lambda: sum(e.opened for e in self.made[feed]) >= times)

    def source(self, feed: str):
        return self.made[feed][-1]

    def give(self, feed: str, seconds: Sequence[float]) -> None:
        self.source(feed).give(ticks(f"{feed.upper()}:A", seconds))

    def move(self, seconds: float) -> None:
        """Let that much time have passed since the beginning."""
        self.clock.move_to(BEGIN + int(seconds * SECOND))
        self.worker.wake()

    def stop(self) -> None:
        self._stop.set()
        self.worker.wake()
        self._thread.join()


def ticks(name: str, seconds: Sequence[float]) -> Given:
    time = BEGIN + (np.array(seconds) * SECOND).astype(np.int64)
    ones = np.ones(time.size)
    values = np.array([ones, ones, ones * np.nan, ones * np.nan])
    return Given(name, 0, Records(Kind.TICKS, time, values, np.arange(time.size) + 1), ("bid", "ask"))


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.stop()


def test_fifty_feeds_of_200_ticks_a_second_go_on_while_one_hangs_one_floods_and_one_dies(desk):
    well = [f"v{number}" for number in range(47)]
    desk.kinds["flood"] = Flood
    for feed in (*well, "hung", "flood", "dead"):
        desk.define(feed)
    desk.start()
    desk.source("hung").hang()
    for second in range(5):
        for feed in (*well, "hung", "dead"):
            desk.give(feed, (second + np.arange(200) / 200).tolist())
        desk.source("dead").fail("the line was cut")
        desk.move(second + 1)
        closes = list(range(1, second + 2))
        desk.told.until(f"bar {second}", lambda: all(desk.told.closes(feed) == closes for feed in well))  # noqa: B023
    assert all(each.counts.records == 1_000 for name, each in desk.worker.feeds.items() if name in well)
    assert all(each.counts.quarantined == 0 for name, each in desk.worker.feeds.items() if name in well)
    assert desk.told.closes("hung") == []
    desk.told.until("the flood", lambda: desk.source("flood").reads > 10)
    assert desk.worker.feeds["flood"]._waiting <= _WAITING_MAX + 5_001
    desk.told.until("bars of what was cut", lambda: desk.told.closes("dead") == [1, 2, 3, 4, 5])


def test_a_source_that_hangs_is_left_to_itself_and_another_one_takes_its_place(desk):
    desk.define("a")
    desk.define("b")
    desk.start()
    desk.source("a").hang()
    desk.give("a", [0.5])
    desk.give("b", [0.5])
    desk.told.until("bar of b", lambda: desk.worker.feeds["b"].counts.records == 1)
    desk.move(20)
    desk.told.until("another source", lambda: len(desk.made["a"]) == 2 and desk.source("a").opened == 1)
    desk.give("a", [20.5])
    desk.told.until("its record", lambda: desk.worker.feeds["a"].counts.records == 1)
    desk.move(22)
    desk.told.until("its bar", lambda: desk.told.closes("a") == [21])
    assert desk.told.closes("b") == [1]


def test_a_source_that_fails_is_opened_again_from_the_last_bar_and_nothing_is_lost(desk):
    desk.define("a")
    desk.start()
    desk.give("a", [0.1, 0.9, 1.2])
    desk.told.until("records", lambda: desk.worker.feeds["a"].counts.records == 3)
    desk.move(1)
    desk.told.until("the first bar", lambda: desk.told.closes("a") == [1])
    desk.source("a").fail("the line was cut")
    desk.until_open("a", 2)
    desk.give("a", [1.4, 2.1])
    desk.told.until("records again", lambda: desk.worker.feeds["a"].counts.records == 6)
    desk.move(3)
    desk.told.until("the other bars", lambda: desk.told.closes("a") == [1, 2, 3])
    desk.told.until("its recovery", lambda: desk.told.reports["a"] == ("running", "", False))


def test_of_a_source_without_a_past_bars_that_were_seen_in_part_are_not_made(desk):
    desk.kinds["a"] = lambda: MemoryAdapter(desk.clock, keeps_history=False)
    desk.clock.move_to(BEGIN + 500 * MILLISECOND)
    desk.define("a")
    desk.start()
    desk.told.until("opening", lambda: desk.made["a"][0].opened == 1)
    desk.told.until("its beginning", lambda: desk.worker.feeds["a"].opened == 1)
    desk.give("a", [0.7, 1.1])
    desk.told.until("records", lambda: desk.worker.feeds["a"].counts.records == 2)
    desk.move(2)
    desk.told.until("the bar", lambda: desk.told.closes("a") == [2])


def test_a_feed_that_is_silent_while_its_market_is_open_is_stale_until_something_comes(desk):
    desk.define("a", calendar="24x5")
    desk.define("b")
    desk.start()

    def silences(feed: str) -> list[bool]:
        return [each.is_silent for each in desk.told.messages(feed, ReportSilence)]

    desk.give("a", [1.0])
    desk.told.until("being heard", lambda: silences("a") == [False])
    desk.move(29)
    desk.give("b", [29.0])
    desk.told.until("being heard too", lambda: silences("b") == [False])
    desk.move(31)
    desk.told.until("silence", lambda: silences("a") == [False, True])
    desk.told.until("its report", lambda: desk.told.reports["a"][2])
    assert desk.told.messages("a", ReportSilence)[-1].last_tick_ns == BEGIN + SECOND
    desk.give("a", [31.0])
    desk.told.until("its end", lambda: silences("a") == [False, True, False])
    desk.move(3 * DAY // SECOND + 4 * 3_600)  # a Saturday evening: foreign exchange is closed
    desk.told.until("silence of b", lambda: silences("b") == [False, True])
    assert silences("a")[-1] is False


def test_a_feed_that_is_no_longer_wanted_stops_and_one_that_is_defined_anew_begins_again(desk):
    desk.define("a")
    desk.define("b")
    desk.start()
    first = desk.source("b")
    desk.told.definitions = [each for each in desk.told.definitions if each.feed == "b"]
    desk.told.until("the end of a", lambda: "a" not in desk.worker.feeds)
    assert desk.source("a").read(0.0) is None
    desk.define("b", bars_ns=[2 * SECOND])
    # Its source is opened before the worker has it in its place.
    desk.told.until("b anew", lambda: desk.source("b") is not first and desk.source("b").opened == 1)
    desk.told.until("b in its place", lambda: "b" in desk.worker.feeds)
    desk.give("b", [0.5])
    desk.told.until("record", lambda: desk.worker.feeds["b"].counts.records == 1)
    desk.move(2)
    desk.told.until("bar", lambda: desk.told.closes("b") == [2])
    assert desk.told.messages("b", ConfigureFeed)[0].instruments[0].id == "B:A"


def test_what_could_not_be_sent_while_the_database_was_away_is_sent_afterwards_in_order(desk):
    desk.define("a")
    desk.start()
    desk.told.is_away = True
    for second in range(5):
        desk.give("a", [second + 0.5])
        desk.move(second + 1)
    desk.told.is_away = False
    desk.told.until("all bars", lambda: desk.told.closes("a") == [1, 2, 3, 4, 5])


def test_a_mistake_in_one_feed_is_its_own(desk):
    desk.define("a")
    desk.define("b")
    desk.start()
    desk.source("a").give(ticks("NOBODY:KNOWS", [0.5]))
    desk.told.until("the report", lambda: "NOBODY:KNOWS" in desk.told.reports.get("a", ("", "", False))[1])
    desk.give("b", [0.5])
    desk.told.until("record", lambda: desk.worker.feeds["b"].counts.records == 1)
    desk.move(1)
    desk.told.until("bar", lambda: desk.told.closes("b") == [1])
    desk.told.until("another source", lambda: len(desk.made["a"]) >= 2)


def test_after_a_restart_no_bar_is_made_twice(desk):
    desk.define("a")
    desk.told.closed_at_ns["a"] = {("A:A", SECOND): BEGIN + 2 * SECOND}
    past = MemoryAdapter(desk.clock)
    past.give(ticks("A:A", [0.5, 1.5, 2.5]))
    desk.kinds["a"] = lambda: past
    desk.clock.move_to(BEGIN + 10 * SECOND)
    desk.start()
    desk.told.until("the bar that was missing", lambda: desk.told.closes("a") == [3])


def test_newest_quotes_are_published_once(desk):
    desk.define("a")
    desk.start()
    desk.give("a", [0.1, 0.2, 0.3])
    desk.told.until("quotes", lambda: bool(desk.quotes))
    assert [(each.feed, each.instruments, each.bid_ticks.tolist()) for each in desk.quotes] == [("a", ["A:A"], [100])]


def test_a_source_that_ends_is_not_stale(desk):
    desk.define("a")
    desk.start()
    desk.give("a", [0.5])
    desk.source("a").end()
    desk.told.until("its end", lambda: desk.told.reports.get("a", ("", "", False))[0] == "ended")
    desk.move(100)
    desk.define("b")
    desk.told.until("another look", lambda: "b" in desk.worker.feeds)
    assert not any(each.is_silent for each in desk.told.messages("a", ReportSilence))


def test_a_quote_is_shown_to_those_who_listen_and_goes_nowhere_else(desk):
    transport, seen = LocalTransport({}), []
    transport.tap(seen.extend)
    desk.define("a")
    desk.start()
    desk.give("a", [0.1])
    desk.told.until("quotes", lambda: bool(desk.quotes))
    transport.show(desk.quotes[0], "a", "feeds", BEGIN)
    (shown,) = seen
    assert (shown.receiver, shown.envelope.sender_key, shown.envelope.number) == ("", "a", 0)
    assert decode_message(shown.envelope.name, shown.body).bid_ticks.tolist() == [100]


def test_a_replay_in_lock_step_waits_until_what_follows_from_a_step_has_been_sent(desk):
    may_go = False
    given = ticks("A:A", np.arange(20) + 0.5).records
    past = {"A:A": Past(Kind.TICKS, 0, given.time, given.values)}
    pace = Pace(is_ready=lambda: may_go and desk.is_done())
    desk.kinds["a"] = lambda: ReplayAdapter(lambda _: past, desk.clock, pace)
    desk.define("a")
    desk.start()
    desk.told.until("its beginning", lambda: desk.worker.feeds["a"].opened == 1 and bool(desk.told.commands))
    desk.told.is_away = may_go = True
    desk.told.until("two steps", lambda: desk.worker.feeds["a"].counts.records == 2)
    desk.told.until("trying in vain", lambda: desk.told.refusals > 3)
    assert desk.worker.feeds["a"].counts.records == 2
    desk.told.is_away = False
    desk.told.until("the rest", lambda: desk.told.closes("a") == list(range(1, 20)))


class Sides:
    """Who leads which feed, and what the logs of all have."""

    def __init__(self) -> None:
        self.led: dict[str, bool | None] = {}
        self.closed: dict[str, int] = {}

    def leads(self, feed: str) -> bool | None:
        return self.led.get(feed)

    def closed_at_ns(self, feed: str, instrument: str, interval_ns: int) -> int:
        return self.closed.get(feed, 0)

    def compare(self, told: list) -> None:
        raise AssertionError("no log was shown, so there is nothing to compare with")


@pytest.fixture
def sides() -> Sides:
    return Sides()


@pytest.fixture
def following(sides) -> Iterator[Desk]:
    made = Desk(lambda clock: Beside(sides, clock))
    yield made
    made.stop()


def test_a_feed_that_the_other_side_leads_is_read_and_told_nothing_until_it_is_led_here(following, sides):
    desk = following
    sides.led = {"a": False}
    desk.define("a")
    desk.start()
    desk.give("a", [0.5, 1.5, 2.5])
    desk.told.until("its records", lambda: desk.worker.feeds["a"].counts.records == 3)
    desk.move(3)
    desk.told.until("its bars", lambda: desk.worker.feeds["a"].counts.bars == 3)
    assert not desk.told.commands
    sides.closed["a"] = BEGIN + 2 * SECOND
    sides.led["a"] = True
    desk.worker.wake()
    desk.told.until("what its log lacks", lambda: desk.told.closes("a") == [3])
    assert len(desk.told.messages("a", ConfigureFeed)) == 1
    assert [each.is_silent for each in desk.told.messages("a", ReportSilence)] == [False]
    desk.give("a", [3.5])
    desk.told.until("its record", lambda: desk.worker.feeds["a"].counts.records == 4)
    desk.move(4)
    desk.told.until("what comes from then on", lambda: desk.told.closes("a") == [3, 4])


def test_bars_that_were_known_when_a_source_was_opened_are_not_expected_of_it(following, sides):
    desk = following
    sides.led = {"a": False}
    desk.told.closed_at_ns["a"] = {("A:A", SECOND): BEGIN + 2 * SECOND}
    desk.define("a")
    desk.start()
    desk.told.until("its opening", lambda: desk.worker.feeds["a"].since_ns is not None)
    assert desk.worker.feeds["a"].since_ns == BEGIN + 2 * SECOND


def test_a_feed_whose_log_has_not_begun_here_and_a_replay_that_others_lead_are_not_opened(following, sides):
    desk = following
    sides.led = {"new": None, "past": False, "live": True}
    for feed in sides.led:
        desk.define(feed, source=REPLAY if feed == "past" else TAIL)
    desk._thread.start()
    desk.until_open("live", 1)
    assert set(desk.made) == {"live"}
    sides.led["past"] = True
    desk.until_open("past", 1)
    sides.led["past"] = False
    desk.worker.wake()
    desk.told.until("its end", lambda: "past" not in desk.worker.feeds)
    assert set(desk.made) == {"live", "past"}
