"""`manage.py import_factors`: split and dividend factors of an instrument."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from apps.feeds.adjustments import read_factor_file
from apps.feeds.sample_data import store_factors
from apps.feeds.series import find_instrument
from banyan import commands


class Command(commands.Command):
    """Import adjustment factors."""

    help = """Make a file's rows the instrument's split and dividend factors, applied when bars are read.

The file is CSV (may be gzipped): date, price factor (dividends), split factor[, reference price]. Each row holds up to
and including its date; after the last both factors are 1. Stored bars are never changed."""
    examples = """
  manage.py import_factors apps/feeds/sample/spy_factors.csv.gz --instrument NYSEARCA:SPY"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take file and instrument."""
        parser.add_argument("file", type=Path, metavar="FILE", help="CSV, which may be gzipped")
        parser.add_argument("--instrument", required=True, metavar="ID", help="VENUE:SYMBOL, such as NASDAQ:AAPL")

    def run(self, **options: Any) -> None:
        """Store the factors."""
        rows = read_factor_file(options["file"])
        instrument = find_instrument(options["instrument"])
        changed = store_factors(instrument, rows)
        self.say(f"{instrument}: {len(rows)} factors{'' if changed else ', as they were'}.")
