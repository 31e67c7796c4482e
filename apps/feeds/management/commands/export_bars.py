"""`manage.py export_bars`: stored bars or ticks into a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from apps.feeds.adjustments import ADJUST
from apps.feeds.exports import export_rows
from apps.feeds.reading import find_rows, read_stored_bars
from apps.feeds.records import from_bars
from apps.feeds.rows import Rows
from banyan import commands


class Command(commands.Command):
    """Export bars or ticks."""

    help = """Write stored bars (or, with --interval tick, ticks) to .csv, .csv.gz or .parquet.

`import_bars` reads the file back to the same bits. Times are bar opens in UTC; --from is included, --to is not."""
    examples = """
  manage.py export_bars eurusd.parquet --instrument OANDA:EURUSD --interval 1h --from 2015-01-01 --to 2016-01-01"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take file, instrument, interval and bounds."""
        parser.add_argument("file", type=Path, metavar="FILE", help="what to write: its ending says how")
        parser.add_argument("--instrument", required=True, metavar="ID", help="VENUE:SYMBOL, such as OANDA:EURUSD")
        parser.add_argument("--interval", required=True, metavar="1h", help="interval of the stored bars, or tick")
        parser.add_argument("--from", dest="start", metavar="TIME", help="first open time, such as 2015-01-31 (UTC)")
        parser.add_argument("--to", dest="end", metavar="TIME", help="open time before which to stop")
        parser.add_argument(
            "--adjust",
            choices=ADJUST,
            default="none",
            help="for splits, or splits and dividends (default: %(default)s, as it was traded)",
        )

    def run(self, **options: Any) -> None:
        """Write the file."""
        asked = (options["instrument"], options["interval"], options["start"], options["end"])
        if options["adjust"] == "none":
            kind, rows = find_rows(*asked)
        else:
            bars = read_stored_bars(*asked, adjust=options["adjust"])
            kind, values = from_bars(bars)
            rows = Rows(bars.time, values)
        export_rows(options["file"], kind, rows)
        self.say(f"{options['file']}: {len(rows):,} rows.")
