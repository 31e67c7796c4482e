"""What the source of a side that follows gives: compared with the leader's log, and told once the feed is led here."""

import json

import msgspec
import pytest

from apps.feeds.beside import PATIENCE_NS, Beside
from apps.feeds.contracts import BAR_COLUMNS, BarClosed, QuarantineRecords, ReceiveBars
from banyan.clock import VirtualClock
from banyan.codec import Envelope, decode_message, encode_envelope, encode_message
from banyan.columns import ints
from banyan.host import Delivery, Shown
from banyan.messages import Compared, Logged
from banyan.store import Step
from extract.comparator.comparator import SOURCE, Comparator
from extract.comparator.shapes import SHAPES
from trading.intervals import HOUR

A, B = "TEST:A", "TEST:B"


class Side:
    """A side that follows: its clock, what its log has, and what it has told the comparator."""

    def __init__(self) -> None:
        self.clock = VirtualClock(1_000 * HOUR)
        self.is_led = False
        self.closed: dict[tuple[str, int], int] = {}
        self.told: list[Compared] = []
        self.deliveries: list[Delivery] = []
        self.beside = Beside(self, self.clock)
        self.beside.begin("test", 0)

    def leads(self, feed: str) -> bool:
        return self.is_led

    def closed_at_ns(self, feed: str, instrument: str, interval_ns: int) -> int:
        return self.closed.get((instrument, interval_ns), 0)

    def compare(self, told: list[Delivery]) -> None:
        self.deliveries += told
        found = [decode_message(each.envelope.name, each.body) for each in told]
        self.told += [each for each in found if isinstance(each, Compared)]

    def gives(self, hour: int, **prices: int) -> None:
        """Let our source give bars."""
        self.beside.keep("test", [bars(ReceiveBars, hour, prices)])
        self.beside.look()

    def shows(self, hour: int, **prices: int) -> None:
        """Let the leader's log show bars."""
        event = bars(BarClosed, hour, prices, revision=ints([0] * len(prices)))
        self.closed |= {(name, HOUR): hour * HOUR for name in event.instruments}
        self.beside.show([shown(hour, event)])
        self.beside.look()

    def wait(self, ns: int) -> None:
        self.clock.move_to(self.clock.wall_ns() + ns)
        self.beside.look()


def bars(kind: type, hour: int, prices: dict[str, int], **more):
    columns = {name: ints(list(prices.values())) for name in BAR_COLUMNS}
    names = [f"TEST:{name}" for name in prices]
    return kind(feed="test", interval_ns=HOUR, closed_at_ns=hour * HOUR, instruments=names, **columns, **more)


def shown(number: int, event: BarClosed) -> Shown:
    cause = Envelope(name=ReceiveBars.wire_name, id=f"m{number}", key="test")
    logged = Logged(
        received_at_ns=1, committed_at_ns=2, envelope=msgspec.Raw(encode_envelope(cause)), message=msgspec.Raw(b"{}"),
        events=msgspec.Raw(b"[]"),
    )  # fmt: skip
    return Shown(Envelope(name=Logged.wire_name, id="l", key="test", number=number), logged, [event])


@pytest.fixture
def side() -> Side:
    return Side()


def test_bars_that_both_have_are_the_same_whoever_was_first(side):
    side.gives(1, A=100, B=200)
    side.shows(1, A=100, B=200)
    side.shows(2, A=101)
    assert len(side.told) == 1
    side.gives(2, A=101)
    assert [(each.same, each.source) for each in side.told] == [(True, True)] * 2
    side.wait(2 * PATIENCE_NS)
    assert len(side.told) == 2


def test_bars_that_came_in_one_message_there_and_in_two_here_are_compared_by_instrument_and_time(side):
    side.gives(1, A=100)
    side.gives(1, B=200)
    side.shows(1, A=100, B=200)
    assert [each.same for each in side.told] == [True]


def test_what_another_price_a_missing_and_an_extra_bar_are_is_told_row_by_row(side):
    side.shows(1, A=100)
    side.gives(1, A=100)
    side.gives(2, A=7)
    side.gives(2, B=9)
    side.shows(2, A=101)
    side.shows(3, A=102, B=201)
    side.wait(2 * PATIENCE_NS)
    assert [each.same for each in side.told] == [True, False, False, False]
    rows = differences(side, {1: {"A": 100}, 2: {"A": 101}, 3: {"A": 102, "B": 201}})
    assert [(kind, instrument) for kind, instrument, _ in rows] == [
        ("mismatched", A), ("missing", A), ("missing", B), ("extra", B),
    ]  # fmt: skip
    assert rows[0][2]["bid_close"] == [101, 7]


def differences(side: Side, leader: dict[int, dict[str, int]]) -> list[tuple[str, str, dict]]:
    """Return what the app's comparator makes of it: kind, instrument, fields."""

    def find(_: str, number: int) -> Step:
        event = bars(BarClosed, number, leader[number], revision=ints([0] * len(leader[number])))
        joined = json.dumps([[event.wire_name, json.loads(encode_message(event))]]).encode()
        return Step("test", number, 0, encode_envelope(Envelope(name="x", id="x", key="test")), b"{}", joined, 1)

    comparator = Comparator("feeds", SHAPES["feeds"], find)
    for each in side.deliveries:
        comparator.take(each.envelope, each.body)
    counts, reached, found = comparator.taken()
    assert reached == {}, "what sources give says nothing of how far a follower is"
    assert {each.input for each in found} == {SOURCE}
    assert sum(each.same for each in counts.values()) == 1
    return [(each.kind, each.instrument, each.fields) for each in found]


def test_bars_that_our_source_saw_in_part_or_not_at_all_are_not_missed(side):
    side.beside.begin("test", 3 * HOUR)
    side.shows(3, A=100)
    side.beside.begin("test", None)
    side.shows(4, A=100)
    side.wait(2 * PATIENCE_NS)
    assert side.told == []


def test_bars_of_before_the_log_is_followed_are_nobodys_difference(side):
    side.gives(1, A=100)
    side.shows(2, A=101)
    side.gives(2, A=101)
    side.wait(2 * PATIENCE_NS)
    assert [each.same for each in side.told] == [True]


def test_a_feed_that_is_led_here_is_told_the_bars_that_its_log_lacks_and_no_revision(side):
    side.gives(1, A=100, B=200)
    side.gives(2, A=101, B=201)
    side.gives(3, A=102)
    late = bars(ReceiveBars, 3, {"A": 99}, revision=ints([1]))
    refused = QuarantineRecords(
        feed="test", instruments=[A], reasons=["late"], records=["x"], event_time_ns=ints([1]), counts=ints([1])
    )
    side.beside.keep("test", [late, refused])
    side.shows(1, A=100, B=200)
    side.shows(2, A=101)
    side.gives(1, A=100)  # the source was opened again, from the beginning
    told = side.beside.taken("test")
    assert [(each.closed_at_ns // HOUR, each.instruments, each.bid_close.tolist()) for each in told] == [
        (2, [B], [201]), (3, [A], [102]),
    ]  # fmt: skip
    assert side.beside.taken("test") == []
