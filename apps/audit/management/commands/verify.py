"""`manage.py verify`: whether what was recorded holds together, from approvals to the broker's own ledger."""

import sys
from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.module_loading import import_string

from apps.audit.invariants import INVARIANTS, Violation, violations
from apps.audit.loading import load_parts
from banyan import commands


class Command(commands.Command):
    """Check the invariants on everything that was recorded."""

    help = (
        "Read the logs of all contexts, the edge's ledger and the paper broker's, and check the thirteen invariants of "
        "the live pipeline. It reads only; run it when nothing is on its way, since what is half done looks wrong. "
        "Exit code 1 where one is violated."
    )
    examples = """
  manage.py verify
  manage.py verify --json
  manage.py verify --dead-letters 2      two dead letters are known of, and no fault"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take how to print it, and what is known to be wrong."""
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--dead-letters", type=int, default=0, help="open ones that are known of (0)")

    def run(self, **options: Any) -> None:
        """Check, and say what was found."""
        parts = load_parts(
            import_string(settings.HOSTED_CONTEXTS),
            import_string(settings.SENDERS),
            paper=settings.PAPER_DIR,
            switch=settings.KILL_SWITCH,
            injected=options["dead_letters"],
        )
        found: list[Violation] = []
        counts: Counter[str] = Counter(accounts=0, orders=0, fills=0)
        for facts in parts:
            found += violations(facts)
            counts.update(accounts=len(facts.accounts), orders=len(facts.requested), fills=len(facts.trades))
        found.sort(key=lambda each: each.invariant)
        if options["json"]:
            told = [each._asdict() for each in found]
            self.say_json({"held": not found, "checked": counts, "violations": told})
        else:
            self._write(found, counts)
        if found:
            sys.exit(1)

    def _write(self, found: list[Any], counts: Counter[str]) -> None:
        for each in INVARIANTS:
            broken = [violation for violation in found if violation.invariant == each.number]
            self.say(f"{'BROKEN' if broken else 'held':<7} {each.number:>2}. {each.text}")
            for violation in broken[:_SHOWN]:
                self.say(f"            {violation.about}: expected {violation.expected}, found {violation.found}")
            if len(broken) > _SHOWN:
                self.say(f"            and {len(broken) - _SHOWN:,} more (--json has all)")
        told = ", ".join(commands.counted(count, name.removesuffix("s")) for name, count in counts.items())
        self.say(f"checked over {told}")


_SHOWN = 5
