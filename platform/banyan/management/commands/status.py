"""`manage.py status`: what runs, how far it is, and what needs a person."""

import json
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone
from django.utils.module_loading import import_string

from banyan import commands
from banyan.databases import explain
from banyan.models import DeadLetter, Key, Request, Timer


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
            told = {name: _context(name) for name in import_string(settings.HOSTED_CONTEXTS)}
            told |= {name: import_string(standing)() for name, standing in settings.STANDINGS.items()}
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


def _context(name: str) -> dict[str, Any]:
    now = timezone.now()
    keys = [
        {
            "key": key.key,
            "owner": key.owner,
            "is_held": bool(key.owner and key.lease_until and key.lease_until > now),
            "epoch": key.epoch,
            "number": key.number,
            "parked_because": key.parked_because,
        }
        for key in Key.objects.using(name).order_by("key")
    ]
    notices = settings.NOTICES.get(name)
    return {
        "keys": keys,
        "notices": import_string(notices)() if notices else [],
        "stopped": sum(1 for key in keys if key["parked_because"]),
        "waiting": Request.objects.using(name).count(),
        "timers": Timer.objects.using(name).count(),
        "dead_letters": DeadLetter.objects.using(name).filter(status=DeadLetter.Status.OPEN).count(),
    }
