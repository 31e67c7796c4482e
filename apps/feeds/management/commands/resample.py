"""`manage.py resample`: coarser bars out of stored bars or ticks."""

from argparse import ArgumentParser
from typing import Any

from apps.feeds.command_line import WHEN_STOPPED, outcome_as_json, say_outcome
from apps.feeds.imports import store_resampled
from apps.feeds.reading import find_rows
from apps.feeds.resampling import resample
from apps.feeds.rows import Rows
from apps.feeds.series import find_instrument
from banyan import commands
from trading.intervals import format_interval, parse_interval


class Command(commands.Command):
    """Resample stored rows to a coarser interval."""

    help = """Make and store coarser bars of stored bars or ticks.

Below a day bars are cut by the UTC clock. Days are the instrument's session days (for foreign exchange 17:00 to 17:00
in New York), made of the exchange's regular hours unless --all-hours; weeks begin with Monday's session. Where bars of
a file are stored at the coarser interval and differ, they stay, and the new ones go to quarantine, unless --replace."""
    examples = """
  manage.py resample OANDA:EURUSD --from 1h --to 1d
  manage.py resample OANDA:EURUSD --from tick --to 1m"""
    when_stopped = WHEN_STOPPED

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take instrument and the two intervals."""
        parser.add_argument("instrument", metavar="ID", help="VENUE:SYMBOL")
        parser.add_argument("--from", dest="source", required=True, metavar="1m", help="stored interval, or tick")
        parser.add_argument("--to", dest="target", required=True, metavar="1h", help="interval to make")
        parser.add_argument("--all-hours", action="store_true", help="days of all hours, not of regular ones")
        parser.add_argument(
            "--replace", action="store_true", help="where stored bars differ, the new ones are the truth"
        )
        parser.add_argument("--json", action="store_true", help="print what was done as JSON")

    def run(self, **options: Any) -> None:
        """Make and store the bars."""
        target = parse_interval(options["target"])
        source = 0 if options["source"] == "tick" else parse_interval(options["source"])
        instrument = find_instrument(options["instrument"])
        kind, rows = find_rows(instrument.pk, options["source"], None, None)
        kind, time, values = resample(
            kind,
            rows.time,
            rows.values,
            source,
            target,
            instrument.as_instrument(),
            all_hours=options["all_hours"],
        )
        outcome = store_resampled(
            instrument, kind, format_interval(source), target, Rows(time, values), replace=options["replace"]
        )
        if options["json"]:
            self.say_json(outcome_as_json(outcome))
        else:
            say_outcome(self, outcome)
