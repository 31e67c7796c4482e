"""The way of prices to the paper broker: the bars that a feed has closed."""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from django.db import Error, connections

from apps.execution.contracts import InstrumentTerms
from apps.execution.packed import pack
from apps.execution.paper import protocol
from apps.feeds.contracts import BarClosed
from banyan.host import Delivery, Shown
from banyan.sockets import short_address
from trading.bars import Close

_LOGGER = logging.getLogger(__name__)
_WRITE_SECONDS_MAX = 0.5
_LOOK_SECONDS = 0.05
_PRICES = [f"{side}_{point}" for side in ("bid", "ask") for point in ("open", "high", "low", "close")]


class PaperMarket:
    """Tells the paper broker at `address` the prices of bars, before anybody decides on them.

    What rested there when a bar began meets all of it, everything else its closing quotes. The newest of those are what
    counts: a broker that was away is told them as soon as it is back, and a bar that is revised later is of the past.

    Those of before this process are what `closes` returns, where it is given: without them a broker that was started
    anew would fill nothing before the next bar.
    """

    name = "paper-market"

    def __init__(
        self, address: Path, terms_of: Callable[[str], InstrumentTerms],
        closes: Callable[[], Mapping[str, Close]] = dict,
    ) -> None:  # fmt: skip
        self._address = address
        self._terms_of = terms_of
        self._closes = closes
        self._terms: dict[str, InstrumentTerms] = {}
        self._socket: socket.socket | None = None
        self._last: dict[str, tuple[int, int]] = {}  # epoch and number of the last bar, by feed
        self._newest: dict[str, tuple[int, int, int]] = {}  # when it closed, at which bid and ask, by instrument
        self._lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Look whether the broker is back, until `stop` is set; first of all know what has closed before."""
        knows = False
        while not stop.wait(_LOOK_SECONDS):
            with contextlib.suppress(OSError, Error, psycopg.Error):
                knows = knows or self._know_closes()
                with self._lock:
                    self._connected()

    def _know_closes(self) -> bool:
        """Know what has closed before this process, and is not the past yet. Raises psycopg.Error, django.db.Error."""
        try:
            closes = self._closes()
            with self._lock:
                for name, each in closes.items():
                    if each.bid_ticks > 0 and each.closed_at_ns > self._newest.get(name, (0, 0, 0))[0]:
                        with contextlib.suppress(LookupError):  # it was there, and is traded no more
                            tick_e9 = self._known(name).tick_e9
                            self._newest[name] = each.closed_at_ns, each.bid_ticks * tick_e9, each.ask_ticks * tick_e9
                self._hang_up()  # whoever is connected already is told these when it is again
        finally:
            connections.close_all()  # this thread's: it asks no more, or anew
        return True

    def wake(self) -> None:
        """Do nothing: a look is soon over."""

    def listen(self, deliveries: list[Delivery]) -> None:
        """Pass on the bars among `deliveries`, each once, however many they go to: a price never goes back in time."""
        for delivery in deliveries:
            envelope, message = delivery.envelope, delivery.message
            if not isinstance(message, BarClosed) or message.revision.any():
                continue
            with self._lock:
                if (envelope.epoch, envelope.number) > self._last.get(envelope.sender_key, (0, 0)):
                    self._last[envelope.sender_key] = envelope.epoch, envelope.number
                    self._tell(message)

    def recall(self, deliveries: Sequence[Delivery]) -> None:
        """Know the newest prices among `deliveries`, which were passed on before: the broker is told quotes alone."""
        with self._lock:
            for message in (each.message for each in deliveries):
                if isinstance(message, BarClosed) and not message.revision.any():
                    self._remember(message, self._prices(message))

    def remember(self, shown: Sequence[Shown]) -> None:
        """Know the newest prices of feeds that the other side leads, and that somebody else passes on."""
        with self._lock:
            for each in shown:
                for event in each.events:
                    if isinstance(event, BarClosed) and not event.revision.any():
                        self._remember(event, self._prices(event))

    def _tell(self, bars: BarClosed) -> None:
        terms = [self._known(each) for each in bars.instruments]
        prices = self._prices(bars)
        columns: dict[str, Any] = {name: pack(column) for name, column in prices.items()}
        opened_ns = bars.closed_at_ns - bars.interval_ns
        frame = protocol.Prices(
            rows=len(terms), terms=terms, time_ns=opened_ns, closed_ns=bars.closed_at_ns, **columns
        )  # fmt: skip
        try:
            self._connected().sendall(protocol.to_bytes(frame))
        except OSError as problem:
            _LOGGER.warning("the paper broker was not told a price, and will be when it is back: %s", problem)
            self._hang_up()
        self._remember(bars, prices)

    def _prices(self, bars: BarClosed) -> dict[str, Any]:
        ticks = np.array([self._known(each).tick_e9 for each in bars.instruments], np.int64)
        return {name: getattr(bars, name) * ticks for name in _PRICES}

    def _remember(self, bars: BarClosed, prices: Mapping[str, Any]) -> None:
        closes = zip(bars.instruments, prices["bid_close"].tolist(), prices["ask_close"].tolist(), strict=True)
        self._newest.update({name: (bars.closed_at_ns, bid, ask) for name, bid, ask in closes})

    def _known(self, instrument: str) -> InstrumentTerms:
        if instrument not in self._terms:
            self._terms[instrument] = self._terms_of(instrument)
        return self._terms[instrument]

    def _connected(self) -> socket.socket:
        if self._socket is not None and not _is_open(self._socket):
            self._hang_up()
        if self._socket is None:
            peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            peer.settimeout(_WRITE_SECONDS_MAX)
            with short_address(self._address) as address:
                peer.connect(address)
            self._socket = peer
            self._tell_newest(peer)
        return self._socket

    def _tell_newest(self, peer: socket.socket) -> None:
        for closed_ns in sorted({closed_ns for closed_ns, _, _ in self._newest.values()}):
            told = {name: quote for name, (at_ns, *quote) in self._newest.items() if at_ns == closed_ns}
            bid, ask = np.array(list(told.values()), np.int64).T
            terms = [self._known(name) for name in told]
            frame = protocol.Prices(
                rows=len(told), terms=terms, time_ns=closed_ns, bid_open=pack(bid), ask_open=pack(ask)
            )
            peer.sendall(protocol.to_bytes(frame))

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_open(peer: socket.socket) -> bool:
    """Read away what the broker has answered, which nobody needs; tell whether it is still there."""
    peer.settimeout(0.0)
    try:
        while peer.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        peer.settimeout(_WRITE_SECONDS_MAX)
    return False
