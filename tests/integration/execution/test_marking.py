"""Who tells shards that prices have moved: when, what, and whom."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from apps.execution.book_contracts import MarkPrices
from apps.execution.marking import Marking
from apps.execution.models import Account
from apps.feeds.interface import Close
from banyan.clock import VirtualClock
from banyan.codec import decode_envelope, decode_message
from banyan.models import Request

pytestmark = pytest.mark.django_db(databases=["execution"], transaction=True)
EUR, GBP = "OANDA:EURUSD", "OANDA:GBPUSD"
SECOND = 1_000_000_000


class Told:
    """A marking on quotes of the test's own."""

    def __init__(self) -> None:
        self.quotes: dict[str, tuple[int, int]] = {}
        self.closed_at_ns = 5
        self.clock = VirtualClock(1_000 * SECOND)
        self.marking = Marking(
            lambda: {name: Close(*quote, self.closed_at_ns) for name, quote in self.quotes.items()}, self.clock
        )

    def look(self, **quotes: tuple[int, int]) -> list[tuple[str, dict[str, tuple[int, int]]]]:
        """Let quotes be, and look; return what waits for shards then, which take it."""
        self.quotes |= {f"OANDA:{name}": quote for name, quote in quotes.items()}
        self.marking.look()
        return self.waiting()

    def waiting(self, *, are_taken: bool = True) -> list[tuple[str, dict[str, tuple[int, int]]]]:
        found = []
        for row in Request.objects.using("execution").order_by("key", "place"):
            message = decode_message(decode_envelope(bytes(row.header)).name, bytes(row.body))
            assert isinstance(message, MarkPrices)
            assert set(message.quoted_at_ns.tolist()) == {self.closed_at_ns}
            quotes = zip(message.bid_ticks.tolist(), message.ask_ticks.tolist(), strict=True)
            found.append((row.key, dict(zip(message.instruments, quotes, strict=True))))
        if are_taken:
            Request.objects.using("execution").all().delete()
        return found

    def wait(self, seconds: float) -> None:
        self.clock.move_to(self.clock.wall_ns() + int(seconds * SECOND))


@pytest.fixture
def told() -> Iterator[Told]:
    for number, shard in enumerate(("02", "05", "02"), 1):
        Account.objects.using("execution").create(
            id=f"A{number}", number=number, shard=shard, client="c", broker="paper", currency="USD"
        )
    return Told()


def test_shards_that_have_accounts_are_told_what_is_new(told):
    assert settings.SHARDS > 2
    assert told.look(EURUSD=(110_000, 110_002), GBPUSD=(130_000, 130_003)) == [
        (shard, {EUR: (110_000, 110_002), GBP: (130_000, 130_003)}) for shard in ("02", "05")
    ]
    assert told.look() == []
    assert told.look(GBPUSD=(131_000, 131_003)) == [(shard, {GBP: (131_000, 131_003)}) for shard in ("02", "05")]


def test_a_small_move_is_told_when_the_last_one_was_told_a_minute_ago(told):
    told.look(EURUSD=(110_000, 110_002))
    told.wait(5)
    assert told.look(EURUSD=(110_010, 110_012)) == []
    told.wait(54)
    assert told.look() == []
    told.wait(1)
    assert told.look() == [(shard, {EUR: (110_010, 110_012)}) for shard in ("02", "05")]
    told.wait(5)
    assert told.look(EURUSD=(110_022, 110_024)) != []


def test_a_price_that_a_later_bar_has_again_is_told_once_a_minute(told):
    told.look(EURUSD=(110_000, 110_002))
    told.closed_at_ns += 1
    told.wait(59)
    assert told.look() == []
    told.wait(1)
    assert told.look() == [(shard, {EUR: (110_000, 110_002)}) for shard in ("02", "05")]
    told.wait(60)
    assert told.look() == []


def test_a_shard_that_has_not_taken_the_last_prices_gets_the_newest_when_it_has(told):
    told.look(EURUSD=(110_000, 110_002))
    told.quotes[EUR] = 111_000, 111_002
    told.marking.look()
    Request.objects.using("execution").filter(key="05").delete()
    told.wait(5)
    told.quotes[EUR] = 112_000, 112_002
    told.marking.look()
    assert told.waiting() == [("02", {EUR: (111_000, 111_002)}), ("05", {EUR: (112_000, 112_002)})]
    assert ("02", {EUR: (112_000, 112_002)}) in told.look()


def test_a_shard_that_takes_nothing_is_asked_once_however_long_that_lasts(told):
    for price in range(110_000, 115_000, 1_000):
        told.quotes[EUR] = price, price + 2
        told.marking.look()
        told.wait(5)
    assert told.waiting() == [(shard, {EUR: (110_000, 110_002)}) for shard in ("02", "05")]
