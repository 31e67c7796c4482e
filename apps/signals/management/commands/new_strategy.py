"""`manage.py new_strategy`."""

import argparse
from pathlib import Path
from typing import Any

from apps.signals.template import write_strategy
from banyan import commands


class Command(commands.Command):
    """Writes the beginning of a strategy."""

    help = """Write a strategy that works, and its test, to begin from.

It is long while the close is above its average. Nothing that is already there is overwritten."""
    examples = """\
  manage.py new_strategy my_trend
  manage.py new_strategy my_trend --dir research/strategies
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("name", metavar="NAME", help="name of strategy and file: lower-case letters, digits and _")
        parser.add_argument("--dir", default=".", metavar="DIR", help="folder to write to (this one)")

    def run(self, **options: Any) -> None:
        """Write both files and say what to do next."""
        path, test = write_strategy(options["name"], Path(options["dir"]))
        self.say(f"wrote {path} and {test}\n\nnext:\n")
        self.say(f"  manage.py check_strategy {path}\n  pytest {test}")
        self.say(f"  manage.py backtest {path} --csv apps/feeds/sample/spy_1d.csv.gz")
