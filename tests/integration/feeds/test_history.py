"""What a set is warmed up with: bars of the feed's log, and before them stored ones."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from apps.feeds.contracts import BAR_COLUMNS, ReceiveBars
from apps.feeds.core import FEEDS
from apps.feeds.interface import bars_before, last_closes, last_quote
from banyan.clock import SystemClock
from banyan.columns import ints
from banyan.host import Host
from banyan.store import Store
from banyan.transport import Command, LocalTransport, ask
from trading.intervals import HOUR

pytestmark = pytest.mark.django_db(databases=["feeds"], transaction=True)
EUR, GBP = "OANDA:EURUSD", "OANDA:GBPUSD"
BEGIN = 402_000 * HOUR


def store_bars(folder: Path, hours: range) -> None:
    """Store bars of EURUSD that open at these hours, at 1.1 and as many ticks as hours."""
    lines = ["time,open,high,low,close"]
    for hour in hours:
        price = f"{1.1 + hour * 1e-5:.5f}"
        lines.append(f"{np.datetime64(BEGIN + hour * HOUR, 'ns')},{price},{price},{price},{price}")
    path = folder / f"bars{hours.start}.csv"
    path.write_text("\n".join(lines) + "\n")
    call_command("import_bars", str(path), instrument=EUR, interval="1h", stdout=StringIO())


def close_live(*bars: tuple[int, str, int]) -> None:
    """Let the feed close bars: (hour of the close, instrument, price in ticks)."""
    store = Store("feeds")
    host = Host(FEEDS, Store("feeds"), [], SystemClock(), owner="test")
    LocalTransport({"feeds": []}).join(host)
    host.open(["oanda"])
    for hour, name, ticks in bars:
        prices = {column: ints([ticks]) for column in BAR_COLUMNS} | {"volume_e6": ints([-1])}
        message = ReceiveBars(
            feed="oanda", interval_ns=HOUR, closed_at_ns=BEGIN + hour * HOUR, instruments=[name], **prices
        )
        ask(store, [Command("oanda", message, f"{name} {hour}")], 1)
    host.look_for([("", "oanda")])
    while host.step():
        pass
    host.close()
    store.close()


def hours_and_ticks(found, name: str = EUR) -> list[tuple[int, int]]:
    return [
        ((each.closed_at_ns - BEGIN) // HOUR, int(each.bid_close[each.instruments.index(name)]))
        for each in found
        if name in each.instruments
    ]


def test_the_feeds_own_bars_come_first_and_stored_ones_before_them(tmp_path):
    store_bars(tmp_path, range(10))
    close_live(*((hour, EUR, 120_000 + hour) for hour in range(8, 14)))
    found = bars_before("oanda", {(EUR, HOUR): 8}, BEGIN + 13 * HOUR)
    stored = [(hour, 110_000 + hour - 1) for hour in (5, 6, 7)]
    assert hours_and_ticks(found) == [*stored, *((hour, 120_000 + hour) for hour in range(8, 13))]


def test_bars_that_closed_together_are_one_message(tmp_path):
    store_bars(tmp_path, range(4))
    close_live(*((hour, name, 120_000 + hour) for hour in (3, 4) for name in (EUR, GBP)))
    found = bars_before("oanda", {(EUR, HOUR): 3, (GBP, HOUR): 3}, BEGIN + 5 * HOUR)
    assert [each.instruments for each in found] == [[EUR], [EUR, GBP], [EUR, GBP]]
    assert hours_and_ticks(found, GBP) == [(3, 120_003), (4, 120_004)]


def test_bars_before_a_long_hole_are_too_old_to_go_on_from(tmp_path):
    store_bars(tmp_path, range(3))
    store_bars(tmp_path, range(120, 122))
    assert hours_and_ticks(bars_before("oanda", {(EUR, HOUR): 9}, BEGIN + 123 * HOUR)) == [
        (121, 110_120), (122, 110_121)
    ]  # fmt: skip
    assert bars_before("oanda", {(EUR, HOUR): 9}, BEGIN + 500 * HOUR) == []


def test_where_nothing_is_known_there_is_no_history():
    assert bars_before("oanda", {(EUR, HOUR): 9}, BEGIN) == []


def test_the_last_quote_is_that_of_the_newest_bar_that_was_let_in():
    assert last_quote(EUR) is None
    close_live((1, EUR, 110_001), (2, EUR, 110_002), (2, GBP, 130_000))
    assert last_quote(EUR) == (110_002, 110_002, BEGIN + 2 * HOUR)
    assert last_quote(GBP) == (130_000, 130_000, BEGIN + 2 * HOUR)
    assert last_quote("OANDA:USDJPY") is None


def test_the_last_closes_are_those_of_the_newest_bars_and_of_what_came_since():
    def told(closes):
        return {name: (each.bid_ticks, each.ask_ticks) for name, each in closes().items()}

    closes = last_closes()
    assert closes() == {}
    close_live((1, EUR, 110_001), (2, EUR, 110_002), (2, GBP, 130_000))
    assert told(closes) == {EUR: (110_002, 110_002), GBP: (130_000, 130_000)}
    close_live((3, EUR, 110_003))
    assert told(closes) == {EUR: (110_003, 110_003), GBP: (130_000, 130_000)}
    assert last_closes()() == closes()
    assert closes()[EUR].closed_at_ns == BEGIN + 3 * HOUR
