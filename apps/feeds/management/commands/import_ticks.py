"""`manage.py import_ticks`: ticks out of files, checked."""

from argparse import ArgumentParser
from typing import Any

from apps.feeds.command_line import FeedsCommand, add_import_arguments, import_files
from apps.feeds.records import Kind


class Command(FeedsCommand):
    """Import ticks (bid and ask, or last and size)."""

    help = "Import ticks from CSV, gzipped CSV or Parquet. Bad rows go to quarantine with file, line and reason."
    description = """
Example:
  manage.py import_ticks ticks.csv.gz --instrument OANDA:EURUSD
  manage.py resample OANDA:EURUSD --from tick --to 1m

Recognised headers: those of `import_bars` for the time; bid and ask, or last (price) and size (qty, quantity).
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take files and instrument."""
        add_import_arguments(parser)

    def run(self, options: dict[str, Any]) -> None:
        """Import the files."""
        import_files(self, options, 0, (Kind.TICKS,))
