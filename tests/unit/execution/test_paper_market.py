"""The way of prices to a paper broker that is not always there."""

import socket
import threading

import numpy as np
import pytest

from apps.execution.edge.paper_market import PaperMarket
from apps.execution.packed import unpack
from apps.execution.paper import protocol
from apps.execution.paper.protocol import FrameBuffer
from apps.feeds.contracts import BarClosed
from apps.feeds.interface import Close, InstrumentNotFound
from banyan.codec import Envelope, encode_message
from banyan.columns import ints
from banyan.host import Delivery
from banyan.sockets import short_address
from tests.patience import PATIENCE_SECONDS
from tests.unit.execution.desk import EURUSD, GOLD

PRICES = [f"{side}_{point}" for side in ("bid", "ask") for point in ("open", "high", "low", "close")]
TERMS = {each.id: each for each in (EURUSD, GOLD)}


@pytest.fixture
def market(tmp_path):
    return PaperMarket(tmp_path / "socket", TERMS.__getitem__)


def bar(number, closed_ns, *terms, price=100):
    columns = {name: ints([price + at] * len(terms)) for at, name in enumerate(PRICES)}
    message = BarClosed(
        feed="SIM", interval_ns=10, closed_at_ns=closed_ns, instruments=[each.id for each in terms],
        revision=ints([0] * len(terms)), volume_e6=ints([-1] * len(terms)), **columns,
    )  # fmt: skip
    envelope = Envelope(name=message.wire_name, id=str(number), key="SIM", sender_key="SIM", number=number)
    return Delivery("signals", envelope, encode_message(message), message)


class Listening:
    """A paper broker that is there while it listens."""

    def __init__(self, address):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_address(address) as short:
            self.listener.bind(short)
        self.listener.listen()
        self.listener.settimeout(PATIENCE_SECONDS)
        self.buffer = FrameBuffer()
        self.peer = None

    def next_frame(self):
        if self.peer is None:
            self.peer, _ = self.listener.accept()
            self.peer.settimeout(PATIENCE_SECONDS)
        bodies = list(self.buffer.add(b""))
        while not bodies:
            bodies = list(self.buffer.add(self.peer.recv(1)))
        return protocol.to_request(bodies[0])


def test_a_broker_that_was_away_is_told_the_newest_closing_quotes_before_anything_else(market, tmp_path):
    market.listen([bar(1, 100, EURUSD, GOLD)])
    market.listen([bar(2, 200, EURUSD, price=300)])
    broker = Listening(tmp_path / "socket")
    stop = threading.Event()
    looking = threading.Thread(target=market.run, args=[stop])
    looking.start()
    try:
        gold, euro = broker.next_frame(), broker.next_frame()
    finally:
        stop.set()
        looking.join()
    closes = PRICES.index("bid_close"), PRICES.index("ask_close")
    for told, terms, at_ns, price in ((gold, GOLD, 100, 100), (euro, EURUSD, 200, 300)):
        assert ([each.id for each in told.terms], told.time_ns, told.ask_close) == ([terms.id], at_ns, b"")
        quote = np.concatenate([unpack(told.bid_open, 1), unpack(told.ask_open, 1)])
        assert quote.tolist() == [(price + at) * terms.tick_e9 for at in closes]


def test_a_broker_is_told_what_has_closed_before_this_process_but_nothing_that_is_past(tmp_path):
    closes = {EURUSD.id: Close(107, 108, 90), GOLD.id: Close(7, 8, 50), "SIM:GONE": Close(1, 2, 60)}

    def terms_of(name):
        if name not in TERMS:
            raise InstrumentNotFound(name)
        return TERMS[name]

    market = PaperMarket(tmp_path / "socket", terms_of, lambda: closes)
    market.listen([bar(1, 100, EURUSD)])
    broker = Listening(tmp_path / "socket")
    stop = threading.Event()
    looking = threading.Thread(target=market.run, args=[stop])
    looking.start()
    try:
        gold, euro = broker.next_frame(), broker.next_frame()
    finally:
        stop.set()
        looking.join()
    assert ([each.id for each in gold.terms], gold.time_ns) == ([GOLD.id], 50)
    assert (unpack(gold.bid_open, 1).item(), unpack(gold.ask_open, 1).item()) == (7 * GOLD.tick_e9, 8 * GOLD.tick_e9)
    assert ([each.id for each in euro.terms], euro.time_ns) == ([EURUSD.id], 100)


def test_a_bar_is_told_with_its_path_while_the_broker_is_there(market, tmp_path):
    broker = Listening(tmp_path / "socket")
    for number in (1, 1, 2, 1, 2, 3):  # those that come again are of a set that begins anew
        market.listen([bar(number, 90 + 10 * number, EURUSD)])
    first, *others = [broker.next_frame() for _ in range(3)]
    assert (first.time_ns, first.closed_ns, [each.closed_ns for each in others]) == (90, 100, [110, 120])
    assert first.ask_close


def test_what_was_passed_on_before_is_told_as_quotes_alone(market, tmp_path):
    market.recall([bar(1, 100, EURUSD)])
    broker = Listening(tmp_path / "socket")
    market.listen([bar(2, 110, EURUSD)])
    recalled, told = broker.next_frame(), broker.next_frame()
    assert (recalled.time_ns, recalled.ask_close) == (100, b"")
    assert told.closed_ns == 110
    assert told.ask_close
