"""`manage.py feeds`: live feeds, defined, started, stopped and watched."""

import argparse
from typing import Any

import msgspec

from apps.feeds.building import LATENESS_NS
from apps.feeds.defined import (
    SOURCES,
    STALE_AFTER_NS,
    TAIL,
    FeedDefinition,
    FeedError,
    check_definition,
    parse_files,
)
from apps.feeds.interface import feed_of, get_instrument
from apps.feeds.models import Feed, FeedReport
from apps.feeds.pipeline import WAIT_NS
from apps.feeds.reports import feed_reports, state_of
from apps.feeds.rows import ALIAS
from banyan import commands
from trading.intervals import SECOND, format_interval, parse_interval


def _feed_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("feed", metavar="FEED", help="the venue, in small letters")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("feed", nargs="?", metavar="FEED", help="its name, which is that of its venue in any case")
    parser.add_argument("--source", choices=SOURCES, default=TAIL, help="where records come from (tail)")
    parser.add_argument(
        "--instrument",
        action="append",
        default=[],
        metavar="ID[=FILE]",
        help="what it gives, once for each, all of one venue; tail: with its file",
    )
    parser.add_argument(
        "--interval", default="tick", metavar="SPAN", help="what the source gives: tick, or bars such as 1m (tick)"
    )
    parser.add_argument(
        "--bars",
        action="append",
        default=[],
        metavar="SPAN",
        help="bars to make of ticks (1m), once for each interval",
    )
    parser.add_argument("--tz", metavar="ZONE", help="tail: zone of times written without an offset (UTC)")
    parser.add_argument("--columns", metavar="A,B,…", help="tail: names of the columns in order; - leaves one out")
    parser.add_argument("--from", dest="first", metavar="TIME", help="replay: first time, such as 2016-01-31 (UTC)")
    parser.add_argument("--to", dest="last", metavar="TIME", help="replay: time to stop before")
    parser.add_argument(
        "--speed", type=float, metavar="N", help="replay: N times as fast as they came, at the times of today"
    )
    parser.add_argument(
        "--lockstep", action="store_true", help="replay: each step when all is done about the one before"
    )
    for name, default_ns, told in (
        ("--wait", WAIT_NS, "how long after the end of its period a bar is closed"),
        ("--lateness", LATENESS_NS, "how long after that a late tick still changes the bar"),
        ("--stale-after", STALE_AFTER_NS, "how long without a record, in an open market, until it is stale"),
    ):
        default, shown = default_ns / SECOND, f"{told} (%(default)g s)"
        parser.add_argument(name, type=float, default=default, metavar="SECONDS", help=shown)


class Command(commands.Command):
    """Says where live market data comes from, and how it is."""

    help = """Define, start, stop and list live feeds. `manage.py run` runs those that are started.

add defines the feed of a venue, or replaces it. Its records come from files that grow (--source tail: CSV with the
headers of `import_ticks --help`, or Parquet) or from what is stored (--source replay). Ticks are made into bars of each
--bars: a bar closes --wait seconds after the end of its period, and a tick that comes up to --lateness seconds after
that changes it (a revision); later ones are counted. Bars (--interval 1m) are taken as they are. What imports would
refuse is quarantined. A feed that gives nothing for --stale-after seconds while its market is open is stale, which
`feeds list` and `manage.py status` show."""
    examples = """
  manage.py feeds add --source tail --instrument OANDA:EURUSD=/srv/ticks/eurusd.csv --bars 1m --bars 1h
  manage.py feeds add --source tail --interval 1m --instrument NASDAQ:AAPL=/srv/bars/aapl.csv --tz America/New_York
  manage.py feeds add --source replay --instrument OANDA:EURUSD --bars 1m --speed 10
  manage.py feeds start oanda
  manage.py feeds list
  manage.py feeds stop oanda
  manage.py feeds remove oanda"""

    actions = (
        commands.Action(
            "add", "define the feed of a venue, or replace it", _add_arguments,
            """
  manage.py feeds add --source tail --instrument OANDA:EURUSD=/srv/ticks/eurusd.csv --bars 1m --bars 1h
  manage.py feeds add --source tail --interval 1m --instrument NASDAQ:AAPL=/srv/bars/aapl.csv --tz America/New_York
  manage.py feeds add --source replay --instrument OANDA:EURUSD --bars 1m --speed 10""",
        ),
        commands.Action(
            "start", "let a feed run where `manage.py run` runs", _feed_argument, "  manage.py feeds start oanda"
        ),
        commands.Action("stop", "let a feed stop", _feed_argument, "  manage.py feeds stop oanda"),
        commands.Action(
            "remove", "forget a feed; its bars stay in the log", _feed_argument, "  manage.py feeds remove oanda"
        ),
        commands.Action("list", "list feeds, and how they are", _list_arguments, "  manage.py feeds list --json"),
    )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it."""
        match options["action"]:
            case "add":
                self._add(options)
            case "list":
                self._list(as_json=options["json"])
            case action:
                self._change(options["feed"], action)

    def _add(self, options: dict[str, Any]) -> None:
        wanted = _definition(options)
        check_definition(wanted)
        definition: Any = msgspec.to_builtins(wanted)
        feed, is_new = Feed.objects.using(ALIAS).update_or_create(id=wanted.feed, defaults={"definition": definition})
        made = ", ".join(format_interval(each) for each in wanted.bars_ns or [wanted.interval_ns])
        then = "it goes on with this" if feed.is_running else f"`manage.py feeds start {wanted.feed}`"
        how = "defined" if is_new else "defined anew"
        self.say(f"{wanted.feed} {how}: {', '.join(wanted.names)}, bars of {made}; {then}")

    def _change(self, name: str, action: str) -> None:
        known = list(Feed.objects.using(ALIAS).values_list("id", flat=True))
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "there is none yet: `manage.py feeds add --help`"
            raise FeedError(f"there is no feed {name}; {there}")
        found = Feed.objects.using(ALIAS).filter(id=name)
        if action == "remove":
            found.delete()
            FeedReport.objects.using(ALIAS).filter(feed_id=name).delete()
            self.say(f"{name} removed; its bars stay in the log")
            return
        found.update(is_running=action == "start")
        self.say(f"{name} {'starts where `manage.py run` runs' if action == 'start' else 'stops'}")

    def _list(self, *, as_json: bool) -> None:
        found = [_as_json(feed, report) for feed, report in feed_reports().values()]
        if as_json:
            self.say_json(found)
            return
        if not found:
            self.say("There is no feed yet: `manage.py feeds add --help`.")
        for each in found:
            self.say(f"{each['feed']}: {each['state']}, {each['source']} of {', '.join(each['instruments'])}")
            if "records" in each:
                last = each["last_record_at"] or "none yet"
                self.say(
                    f"  {each['records']:,} records, last {last}; {each['bars']:,} bars, "
                    f"{each['revisions']:,} revisions, {each['late']:,} late, {each['quarantined']:,} quarantined, "
                    f"opened {each['opened']:,} times"
                )
            if each.get("problem"):
                self.say(f"  {each['problem']}")


def _definition(options: dict[str, Any]) -> FeedDefinition:
    if not options["instrument"]:
        raise FeedError("give at least one --instrument ID=FILE, or --source replay --instrument ID")
    names, files = parse_files(options["instrument"])
    return FeedDefinition(
        feed=options["feed"] or feed_of(names[0]),
        source=options["source"],
        instruments=[get_instrument(name) for name in names],
        interval_ns=0 if options["interval"] == "tick" else parse_interval(options["interval"]),
        bars_ns=sorted({parse_interval(each) for each in options["bars"]}),
        files=files,
        tz=options["tz"],
        columns=None if options["columns"] is None else [each.strip() for each in options["columns"].split(",")],
        first=options["first"],
        last=options["last"],
        speed=options["speed"],
        lockstep=options["lockstep"],
        wait_ns=_nanoseconds("wait", options),
        lateness_ns=_nanoseconds("lateness", options),
        stale_after_ns=_nanoseconds("stale_after", options),
    )


def _nanoseconds(name: str, options: dict[str, Any]) -> int:
    seconds = options[name]
    if not -1e9 < seconds < 1e9:
        raise FeedError(f"--{name.replace('_', '-')} {seconds} is no number of seconds that can be waited for")
    return round(seconds * SECOND)


def _as_json(feed: Feed, report: FeedReport | None) -> dict[str, Any]:
    definition = feed.definition
    told: dict[str, Any] = {
        "feed": feed.id,
        "state": state_of(feed, report),
        "source": definition["source"],
        "instruments": [each["id"] for each in definition["instruments"]],
    }
    if report is not None:
        last = report.last_record_at
        told["last_record_at"] = None if last is None else f"{last:%Y-%m-%dT%H:%M:%SZ}"
        for name in ("records", "bars", "revisions", "late", "quarantined", "opened", "problem"):
            told[name] = getattr(report, name)
    return told
