"""`manage.py demo`: research on real prices, then the live pipeline from real ticks to fills on paper."""

import os
import subprocess
import sys
from typing import Any

from django.conf import settings

from apps.demo.place import PLACE, environment
from apps.demo.research import research
from banyan import commands
from banyan.process.usage import end_with_parent


class Command(commands.Command):
    """Show what Banyan does, the pipeline at work in databases of its own."""

    help = (
        "Import the shipped prices, run a backtest and a sweep on them, then run the live pipeline for a few seconds: "
        "two strategy sets on real EURUSD ticks, replayed in lock step, a hundred paper accounts, risk limits that "
        "refuse some orders. Say what became of it and check the invariants. The pipeline has databases and a folder "
        "of its own (demo/ in the data folder), emptied at the start."
    )
    examples = """
  manage.py demo"""
    when_stopped = "stopped by Ctrl-C"

    def run(self, **options: Any) -> None:
        """Run it, the pipeline getting ready while the research is done. Exit code 1: an invariant does not hold."""
        if os.environ.get(PLACE) == "1":
            self._run_pipeline()
            return
        folder = settings.DATA_DIR / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        told = [sys.executable, sys.argv[0], "demo"]
        with subprocess.Popen(told, env=environment(folder), stdin=subprocess.PIPE) as pipeline:
            try:
                research(self._say)
            except BaseException:
                pipeline.terminate()
                raise
            self._say("\n$ manage.py run, and replay")
            assert pipeline.stdin is not None
            pipeline.stdin.close()
        if pipeline.returncode:
            sys.exit(pipeline.returncode)

    def _run_pipeline(self) -> None:
        from apps.demo.story import tell  # whoever does the research need not load it

        end_with_parent()
        try:
            code = 0 if tell(self._say, sys.stdin.read) else commands.FAILED
        except KeyboardInterrupt:
            code = commands.STOPPED  # the parent says so
        os._exit(code)  # to take down piece by piece what was loaded takes half a second

    def _say(self, text: str) -> None:
        self.say(text)
        self.stdout.flush()
