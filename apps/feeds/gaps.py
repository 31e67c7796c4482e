"""Gaps that live feeds had, as their logs tell."""

from contextlib import closing

from apps.feeds.contracts import GapDetected
from apps.feeds.core import FEEDS
from apps.feeds.interface import LiveGap
from banyan.codec import decode_message
from banyan.host.delivery import split_events
from banyan.store import Store

_AT_ONCE = 500
_RECORDS_MAX = 5_000


def live_gaps(feed: str, most: int) -> list[LiveGap]:
    """Return gaps of the last 5,000 records of a feed's log, newest first."""
    found: list[LiveGap] = []
    with closing(Store(FEEDS.name)) as store:
        last = store.numbers([feed]).get(feed, 0)
        first = max(0, last - _RECORDS_MAX)
        while last > first and len(found) < most:
            piece = [
                _gap(body)
                for step in store.steps(feed, max(first, last - _AT_ONCE), last)
                for name, body in split_events(step.events)
                if name == GapDetected.wire_name
            ]
            found += reversed(piece)
            last -= _AT_ONCE
    return found[:most]


def _gap(body: bytes) -> LiveGap:
    message = decode_message(GapDetected.wire_name, body)
    assert isinstance(message, GapDetected)
    return LiveGap(message.instrument, message.interval_ns, message.after_ns, message.before_ns)
