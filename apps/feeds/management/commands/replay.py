"""`manage.py replay`: stored bars or ticks, given to a live feed as if they came now."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from apps.feeds.adapters.replay import Pace, ReplayAdapter
from apps.feeds.interface import get_instrument
from apps.feeds.live import check_tick, message_id, stored_past
from apps.feeds.pipeline import FeedPipeline, FeedSpec
from apps.feeds.resampling import check_intervals
from banyan import commands
from banyan.clock import SystemClock
from banyan.messages import Message
from banyan.store import Store
from banyan.transport import Command as Asked
from banyan.transport import ask
from trading.intervals import parse_interval

_AT_ONCE = 200


class Command(commands.Command):
    """Gives stored bars or ticks to a feed."""

    help = """Give stored bars or ticks of one venue to its live feed, as if they came now.

They come oldest first and as fast as they are taken; with --speed N at the times of today, N times as fast as they
came; with --lockstep each step when everything has been done about the one before. Ticks are made into bars of --bars
on the way. Who runs the feed (`manage.py run`) lets them in once: replaying the same again changes nothing."""
    examples = """
  manage.py replay OANDA:EURUSD --interval 1h --from 2016-01-01 --to 2016-03-01
  manage.py replay OANDA:EURUSD --interval 1h --from 2016-01-01 --speed 3600
  manage.py replay OANDA:EURUSD --interval tick --bars 1m --bars 1h --speed 60
  manage.py replay OANDA:EURUSD --interval 1h --from 2016-01-01 --to 2016-02-01 --lockstep"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to replay, and how fast."""
        parser.add_argument("instrument", nargs="+", metavar="ID", help="VENUE:SYMBOL, all of one venue")
        parser.add_argument(
            "--interval", default="1h", metavar="SPAN", help="interval of what is stored: 1h, or tick (1h)"
        )
        parser.add_argument(
            "--bars",
            action="append",
            default=[],
            metavar="SPAN",
            help="bars to make of ticks (1m), once for each interval",
        )
        parser.add_argument("--from", dest="first", metavar="TIME", help="first open time, such as 2016-01-31 (UTC)")
        parser.add_argument("--to", dest="last", metavar="TIME", help="open time to stop before")
        parser.add_argument("--speed", type=float, metavar="N", help="N times as fast as they came (as fast as taken)")
        parser.add_argument("--lockstep", action="store_true", help="wait after each step until the system is at rest")

    def run(self, **options: Any) -> None:
        """Replay. Exit code 2 for what no feed can be given."""
        venues = {each.partition(":")[0].lower() for each in options["instrument"]}
        if len(venues) > 1:
            raise commands.UsageError(f"a feed has one venue, these have {', '.join(sorted(venues))}")
        if options["speed"] is not None and not options["speed"] > 0.0:
            raise commands.UsageError(f"--speed {options['speed']:g}: it is above 0")
        if options["lockstep"] and options["speed"] is not None:
            raise commands.UsageError("--lockstep has no speed: each step waits for the one before")
        interval_ns, bars = _intervals(options["interval"], options["bars"])
        instruments = {each.upper(): check_tick(get_instrument(each)) for each in options["instrument"]}
        pipeline = FeedPipeline(FeedSpec(venues.pop(), instruments, bars, wait_ns=0))
        quiet = import_string(settings.QUIET)()
        pace = Pace(options["speed"], quiet if options["lockstep"] else None, min(bars, default=0))
        load = stored_past(list(instruments), interval_ns, options["first"], options["last"])
        given, new = _replay(pipeline, ReplayAdapter(load, SystemClock(), pace))
        quiet.close()
        counts = pipeline.counts
        left_out = f"; {counts.quarantined:,} records quarantined" if counts.quarantined else ""
        self.say(
            f"{given:,} closes given to feed {pipeline.spec.feed}, {given - new:,} of them had been given "
            f"before{left_out}"
        )


def _intervals(interval: str, bars: Sequence[str]) -> tuple[int, list[int]]:
    if interval != "tick":
        if bars:
            raise commands.UsageError("--bars are made of ticks: give them with --interval tick")
        return parse_interval(interval), []
    if not bars:
        raise commands.UsageError("ticks are made into bars: say which with --bars, such as --bars 1m")
    wanted = sorted({parse_interval(each) for each in bars})
    for each in wanted:
        check_intervals(0, each)
    return 0, wanted


def _replay(pipeline: FeedPipeline, adapter: ReplayAdapter) -> tuple[int, int]:
    """Replay to the end; return how many messages there were, and how many of them were new."""
    clock, store = SystemClock(), Store("feeds")
    pipeline.begin(adapter.open(0))
    given = new = 0
    while (reading := adapter.read(1.0)) is not None:
        told = pipeline.take(reading, clock.wall_ns())
        given += len(told)
        new += _told(store, pipeline.spec.feed, told, clock.wall_ns())
    _told(store, pipeline.spec.feed, pipeline.refused(), clock.wall_ns())
    store.close()
    return given, new


def _told(store: Store, feed: str, messages: Sequence[Message], now_ns: int) -> int:
    asked = [Asked(feed, each, message_id(each)) for each in messages]
    return sum(ask(store, asked[at : at + _AT_ONCE], now_ns) for at in range(0, len(asked), _AT_ONCE))
