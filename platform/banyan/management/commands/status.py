"""`manage.py status`: what runs, how far it is, and what needs a person."""

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from banyan import commands
from banyan.databases import explain
from banyan.standing import standings


class Command(commands.Command):
    """Show every key: who holds it, its epoch, the length of its log, and what waits or has stopped."""

    help = "Show every key of every context: owner, epoch, log, what waits. Exit code 1 when something needs a person."

    examples = """
  manage.py status
  manage.py status --json"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how to print it."""
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def run(self, **options: Any) -> None:
        """Print it."""
        try:
            told = standings()
        except OperationalError as problem:
            raise CommandError(explain(problem) or str(problem)) from None
        if options["json"]:
            self.say(json.dumps(told, indent=1))
        else:
            for name, context in told.items():
                self._write(name, context)
        if any(context["dead_letters"] or context["stopped"] or context["notices"] for context in told.values()):
            sys.exit(1)

    def _write(self, name: str, context: dict[str, Any]) -> None:
        self.say(
            f"{name}: {len(context['keys'])} keys, {context['waiting']} messages wait, {context['timers']} timers, "
            f"{context['dead_letters']} dead letters"
        )
        for fact in context.get("facts", ()):
            self.say(f"  {fact}")
        for notice in context["notices"]:
            self.say(f"  LOOK: {notice}")
        for key in context["keys"]:
            held = f"held by {key['owner']}" if key["is_held"] else "held by nobody"
            stopped = f", STOPPED: {key['parked_because']}" if key["parked_because"] else ""
            self.say(f"  {key['key']:<16} epoch {key['epoch']:<4} #{key['number']:<8,} {held}{stopped}")
