"""`manage.py import_ticks`: ticks out of files, checked."""

from argparse import ArgumentParser
from typing import Any

from apps.feeds.command_line import WHEN_STOPPED, add_import_arguments, import_files
from apps.feeds.records import Kind
from banyan import commands


class Command(commands.Command):
    """Import ticks (bid and ask, or last and size)."""

    help = """Import ticks from CSV, gzipped CSV or Parquet. Bad rows go to quarantine with file, line and reason.

Recognised headers: those of `import_bars` for the time; bid and ask, or last (price) and size (qty, quantity)."""
    examples = """
  manage.py import_ticks ticks.csv.gz --instrument OANDA:EURUSD
  manage.py resample OANDA:EURUSD --from tick --to 1m"""
    when_stopped = WHEN_STOPPED

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take files and instrument."""
        add_import_arguments(parser)

    def run(self, **options: Any) -> None:
        """Import the files."""
        import_files(self, options, 0, (Kind.TICKS,))
