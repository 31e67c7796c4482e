"""What is stored, as a replay needs it, and what a live feed asks of its instruments."""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from apps.feeds.adapters.replay import Past
from apps.feeds.contracts import Listen, ReceiveBars
from apps.feeds.reading import Moment, find_rows, parse_moment
from apps.feeds.rows import ALIAS
from banyan.clock import SystemClock
from banyan.codec import encode_message
from banyan.ids import derive
from banyan.messages import Message
from banyan.store import Store
from banyan.transport import Command, ask
from trading.instruments import Instrument


class TickError(ValueError):
    """An instrument has no tick, so that its prices are no whole numbers of ticks."""

    exit_code: ClassVar = 2


def check_tick(instrument: Instrument) -> Instrument:
    """Return the instrument. Raises TickError where it has no tick size."""
    if not instrument.tick_size > 0.0:
        raise TickError(
            f"{instrument.id} has no tick size, so its prices are no whole numbers of ticks; give it one on the admin "
            f"pages, or with `manage.py add_instrument`"
        )
    return instrument


def stored_past(
    names: Sequence[str], interval_ns: int, first: Moment = None, last: Moment = None
) -> Callable[[int], Mapping[str, Past]]:
    """Return what loads the stored records of instruments from a time on, ticks where `interval_ns` is 0.

    Their times are in [first, last). The function raises InstrumentNotFound, MomentError, and NoData where an
    instrument has nothing at all in that range.
    """

    def load(after_ns: int) -> Mapping[str, Past]:
        found = {}
        for name in names:
            kind, rows = find_rows(name, interval_ns, first, last)
            rows = rows.select(rows.time >= after_ns)
            found[name.upper()] = Past(kind, interval_ns, rows.time, rows.values)
        return found

    parse_moment(first)
    parse_moment(last)
    return load


def tell_listener(feed: str, name: str, *, listens: bool) -> None:
    """Let a feed know that a set wants its bars, or does not any more. Raises psycopg.OperationalError."""
    message, now_ns = Listen(set=name, listens=listens), SystemClock().wall_ns()
    store = Store(ALIAS)
    try:
        ask(store, [Command(feed, message, derive(message_id(message), feed, now_ns))], now_ns)
    finally:
        store.close()


def message_id(message: Message) -> str:
    """Return the id of a message to a feed: the same content has the same one, and is applied once."""
    if isinstance(message, ReceiveBars):
        revision = message.revision.tolist()
        return derive("bars", message.feed, message.interval_ns, message.closed_at_ns, *message.instruments, *revision)
    return derive(message.wire_name, encode_message(message).decode())
