"""`manage.py load_sample_trading`: strategy sets, paper accounts and a feed of real ticks, to look around with."""

from typing import Any

from apps.demo.sample import load
from banyan import commands


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

    def run(self, **options: Any) -> None:
        """Do it."""
        self.say(load())
