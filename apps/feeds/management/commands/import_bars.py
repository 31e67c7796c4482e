"""`manage.py import_bars`: bars out of files, checked."""

from argparse import ArgumentParser
from typing import Any

from apps.feeds.command_line import WHEN_STOPPED, add_import_arguments, import_files
from apps.feeds.records import Kind
from banyan import commands
from trading.intervals import parse_interval


class Command(commands.Command):
    """Import bars (OHLCV, or bid and ask quotes)."""

    help = """Import bars from CSV, gzipped CSV or Parquet. Bad rows go to quarantine with file, line and reason.

Recognised headers: ts, time, timestamp, date, datetime (times are the bar's OPEN); open, high, low, close, volume, or
bid_open … bid_close and ask_open … ask_close. Times may be ISO, YYYYMMDD, YYYY.MM.DD, or epoch in s, ms, us or ns.

Rows are committed in batches; an import that was stopped is completed by giving the command again. Importing the same
twice changes nothing. Where a stored bar has other values, the row goes to quarantine as a conflict, or with --replace
takes its place."""
    examples = """
  manage.py import_bars eurusd.csv.gz --instrument OANDA:EURUSD --interval 1h
  manage.py import_bars spy_1m.csv --instrument NYSEARCA:SPY --interval 1m --tz America/New_York
  manage.py import_bars raw.txt --instrument X:Y --interval 1d --columns date,open,high,low,close,-,volume"""
    when_stopped = WHEN_STOPPED

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take files, instrument and interval."""
        add_import_arguments(parser)
        parser.add_argument(
            "--interval", required=True, metavar="1h", help="interval of the file's bars: 1s, 1m, 5m, 1h, 4h, 1d, 1w …"
        )

    def run(self, **options: Any) -> None:
        """Import the files."""
        import_files(self, options, parse_interval(options["interval"]), (Kind.QUOTES, Kind.BARS))
