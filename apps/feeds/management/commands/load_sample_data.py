"""`manage.py load_sample_data`: the shipped prices into the database."""

from typing import Any

from apps.feeds.command_line import WHEN_STOPPED, say_outcome
from apps.feeds.sample_data import load_sample
from banyan import commands


class Command(commands.Command):
    """Import the shipped data set."""

    help = "Import the shipped prices: EURUSD hourly quotes and ticks, SPY and other equities daily, with factors."
    examples = """
  manage.py load_sample_data"""
    when_stopped = WHEN_STOPPED

    def run(self, **options: Any) -> None:
        """Import what is not there yet."""
        done_before = 0
        for outcome in load_sample():
            if outcome.was_done:
                done_before += 1
            else:
                say_outcome(self, outcome)
        if done_before:
            self.say(f"{done_before} sample files were imported before.")
