"""`manage.py reporting`: how far the read models are, and how to build them again."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from apps.reporting.database import connect
from apps.reporting.following import behind, marks_of
from apps.reporting.projecting import READER, rebuild
from apps.reporting.sources import Source
from banyan import commands
from banyan.commands import counted


class Command(commands.Command):
    """Looks after the read models."""

    help = (
        "status: how far the logs have been read. rebuild: empty all read models and build them again from the logs, "
        "beside a running system or without one; while it lasts, reports show what has been built so far."
    )
    examples = """
  manage.py reporting status
  manage.py reporting rebuild"""
    when_stopped = "stopped by Ctrl-C; what was built stays, and role `reporting` or another rebuild goes on from there"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("action", choices=("status", "rebuild"))

    def run(self, **options: Any) -> None:
        """Do it. Exit code 1: something has not been read yet."""
        followed: Callable[[], Sequence[Source]] = import_string(settings.REPORTED)
        if options["action"] == "rebuild":
            records = rebuild(followed(), self._progress)
            self.say(f"built from {counted(records, 'record')}")
        else:
            self._status(followed())

    def _status(self, sources: Sequence[Source]) -> None:
        with connect() as connection:
            marks = marks_of(connection, READER)
        waiting = behind(marks, sources)
        for name, key in sorted({*marks, *waiting}):
            number = marks.get((name, key), (0, 0))[0]
            ahead = waiting.get((name, key), 0)
            state = "read to its end" if not ahead else f"{ahead:,} behind" if ahead > 0 else "put back: rebuild"
            self.say(f"{name + '/' + key:<30} #{number:<10,} {state}")
        for source in sources:
            source.close()
        if not marks and not waiting:
            self.say("no log has begun yet")
        if waiting:
            sys.exit(1)

    def _progress(self, records: int) -> None:
        self.whisper(f"{records:,} records read")
