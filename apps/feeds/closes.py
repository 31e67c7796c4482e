"""The last closing quote of each instrument, read from the logs of feeds while they grow."""

from collections.abc import Mapping
from contextlib import closing

from apps.feeds.contracts import BarClosed
from apps.feeds.core import FEEDS
from banyan.codec import decode_message
from banyan.host.delivery import split_events
from banyan.store import Store
from trading.bars import Close

_LOOKED_BACK = 500
"""So many records at the most are read of a feed at once: of what came before only the end counts."""


class Closes:
    """Remembers what it has read. Not for several threads at once."""

    def __init__(self) -> None:
        self._upto: dict[str, int] = {}
        self._last: dict[str, Close] = {}

    def look(self) -> Mapping[str, Close]:
        """Return at what the last bar of each instrument has closed, with what came since.

        Raises psycopg.Error where the database of feeds is not there.
        """
        with closing(Store(FEEDS.name)) as store:
            for feed, number in store.connection.execute("SELECT key, number FROM banyan_key").fetchall():
                after = max(self._upto.get(feed, 0), number - _LOOKED_BACK)
                for step in store.steps(feed, after, number):
                    for name, body in split_events(step.events):
                        if name == BarClosed.wire_name:
                            bars = decode_message(name, body)
                            assert isinstance(bars, BarClosed)
                            self._take(bars)
                self._upto[feed] = number
        return dict(self._last)

    def _take(self, bars: BarClosed) -> None:
        closes = zip(bars.instruments, bars.bid_close.tolist(), bars.ask_close.tolist(), strict=True)
        for name, bid, ask in closes:
            if name not in self._last or bars.closed_at_ns >= self._last[name].closed_at_ns:
                self._last[name] = Close(bid, ask, bars.closed_at_ns)
