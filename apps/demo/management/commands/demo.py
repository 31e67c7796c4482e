"""`manage.py demo`: the live pipeline, from real ticks to fills on paper, and what must hold of it."""

import os
import subprocess
import sys
from typing import Any

from django.conf import settings

from apps.demo.place import PLACE, environment
from apps.demo.story import tell
from banyan import commands


class Command(commands.Command):
    """Show the pipeline at work, in databases of its own."""

    help = (
        "Run the live pipeline for a few seconds: two strategy sets on real EURUSD ticks, replayed in lock step, a "
        "hundred paper accounts, risk limits that refuse some orders. Then say what became of it and check the "
        "invariants. It has databases and a folder of its own (demo/ in the data folder), emptied at the start."
    )
    examples = """
  manage.py demo"""
    when_stopped = "stopped by Ctrl-C"

    def run(self, **options: Any) -> None:
        """Run it. Exit code 1: an invariant does not hold."""
        if os.environ.get(PLACE) == "1":
            sys.exit(0 if tell(self._say) else 1)
        folder = settings.DATA_DIR / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, sys.argv[0], "demo"], env=environment(folder), check=False)
        if done.returncode:
            sys.exit(done.returncode)

    def _say(self, text: str) -> None:
        self.say(text)
        self.stdout.flush()
