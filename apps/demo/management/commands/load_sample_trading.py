"""`manage.py load_sample_trading`: strategy sets, paper accounts and a feed of real ticks, to look around with."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.demo.sample import load, missing_for_readers
from banyan import commands

_LOOK_SECONDS = 0.2


class Command(commands.Command):
    """Define what a first look needs, where there is nothing yet."""

    help = (
        "Define two strategy sets, a hundred paper accounts that follow them, a few limits, and a feed that gives real "
        "EURUSD ticks of one afternoon as if they came now. Does nothing where there is an account or a feed already."
    )
    examples = """
  manage.py load_sample_data
  manage.py load_sample_trading
  manage.py run"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how long to wait."""
        parser.add_argument(
            "--until-read", type=float, metavar="SECONDS",
            help="define nothing, and wait until a pipeline has taken up all accounts and they can be read",
        )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it. Raises CommandError where accounts cannot be read in time."""
        if options["until_read"] is None:
            self.say(load())
            return
        until = time.monotonic() + options["until_read"]
        while missing := missing_for_readers():
            if time.monotonic() >= until:
                accounts = "1 account" if missing == 1 else f"{missing:,} accounts"
                raise CommandError(f"{accounts} cannot be read yet: does `manage.py run` run? Look at run.log.")
            time.sleep(_LOOK_SECONDS)
