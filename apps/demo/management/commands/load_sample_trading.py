"""`manage.py load_sample_trading`: strategy sets, paper accounts and a feed of real ticks, to look around with."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.demo.sample import load, missing_for_readers, remove
from banyan import commands

_LOOK_SECONDS = 0.2


class Command(commands.Command):
    """Define what a first look needs, where there is nothing yet."""

    help = (
        "Define two strategy sets, a hundred paper accounts that follow them, a few limits, and a feed that gives real "
        "EURUSD ticks of one afternoon as if they came now. Does nothing where there is an account or a feed "
        "already. With --remove it goes again with what was traded on it, where there is nothing else and nothing runs."
    )
    examples = """
  manage.py load_sample_data
  manage.py load_sample_trading
  manage.py run
  manage.py load_sample_trading --remove"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether it is to be removed, or how long to wait for it."""
        parser.add_argument("--remove", action="store_true", help="remove the sample, and all that was traded on it")
        parser.add_argument(
            "--until-read", type=float, metavar="SECONDS",
            help="define nothing, and wait until a pipeline has taken up all accounts and they can be read",
        )  # fmt: skip

    def run(self, **options: Any) -> None:
        """Do it. Raises CommandError where accounts cannot be read in time."""
        if options["until_read"] is None:
            self.say(remove() if options["remove"] else load())
            return
        until = time.monotonic() + options["until_read"]
        while missing := missing_for_readers():
            if time.monotonic() >= until:
                accounts = "1 account" if missing == 1 else f"{missing:,} accounts"
                raise CommandError(f"{accounts} cannot be read yet: does `manage.py run` run? Look at run.log.")
            time.sleep(_LOOK_SECONDS)
