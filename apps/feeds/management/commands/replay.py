"""`manage.py replay`: stored bars, given to a live feed as if they closed now."""

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from apps.feeds.contracts import ReceiveBars
from apps.feeds.interface import get_instrument, read_bars
from apps.feeds.live import replayed
from banyan import commands
from banyan.clock import SystemClock
from banyan.ids import derive
from banyan.store import Store
from banyan.transport import Command as Asked
from banyan.transport import ask

_AT_ONCE = 200


class Command(commands.Command):
    """Gives stored bars to a feed."""

    help = (
        "Give the stored bars of one venue's instruments to its live feed, oldest first, as fast as they are taken, "
        "or with --speed N so many times faster than they came, at the times of today. Who runs the feed "
        "(`manage.py run`) "
        "lets them in once: replaying the same bars again changes nothing."
    )

    examples = """
  manage.py replay OANDA:EURUSD --interval 1h --from 2016-01-01 --to 2016-03-01
  manage.py replay OANDA:EURUSD --interval 1h --from 2016-01-01 --speed 3600"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to replay, and how fast."""
        parser.add_argument("instrument", nargs="+", metavar="ID", help="VENUE:SYMBOL, all of one venue")
        parser.add_argument("--interval", default="1h", help="interval of the bars (1h)")
        parser.add_argument("--from", dest="first", help="first open time, ISO, UTC")
        parser.add_argument("--to", dest="last", help="open time to stop before, ISO, UTC")
        parser.add_argument("--speed", type=float, help="times faster than the bars came; default: as fast as taken")

    def run(self, **options: Any) -> None:
        """Replay. Exit code 2 for bars that no feed can be given."""
        venues = {each.partition(":")[0].lower() for each in options["instrument"]}
        if len(venues) > 1:
            raise commands.UsageError(f"a feed has one venue, these have {', '.join(sorted(venues))}")
        feed = venues.pop()
        bars = {
            each.upper(): (
                get_instrument(each),
                read_bars(each, options["interval"], options["first"], options["last"], adjust="none"),
            )
            for each in options["instrument"]
        }
        messages = list(replayed(feed, bars))
        store = Store("feeds")
        clock = SystemClock()
        new = 0
        for group in _paced(messages, options["speed"]):
            new += ask(store, [Asked(feed, each, _id(each)) for each in group], clock.wall_ns())
        store.close()
        self.say(
            f"{len(messages):,} closes given to feed {feed}, {len(messages) - new:,} of them had been given before"
        )


def _id(message: ReceiveBars) -> str:
    return derive("bars", message.feed, message.interval_ns, message.closed_at_ns, *message.instruments)


def _paced(messages: list[ReceiveBars], speed: float | None) -> Iterator[tuple[ReceiveBars, ...]]:
    if speed is None:
        rest = iter(messages)
        while group := tuple(islice(rest, _AT_ONCE)):
            yield group
        return
    begun_ns, first_ns = time.time_ns(), messages[0].closed_at_ns
    for message in messages:
        now_ns = begun_ns + int((message.closed_at_ns - first_ns) / speed)
        time.sleep(max(0.0, (now_ns - time.time_ns()) / 1e9))
        yield (msgspec.structs.replace(message, closed_at_ns=now_ns),)
