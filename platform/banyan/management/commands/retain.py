"""`manage.py retain`: logs and outboxes keep what they must, and no more."""

import sys
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils.module_loading import import_string

from banyan import commands
from banyan.commands import counted
from banyan.retention import drop, make_ahead, tidy, verdicts


class Command(commands.Command):
    """Drop partitions that are old enough and that nobody needs, and make those of the coming weeks."""

    help = (
        "Drop partitions of logs and outboxes that are older than they are kept. A log's partition goes only when each "
        "of its keys has a verified snapshot after it (`manage.py events verify`) and whoever follows the log has read "
        "it, an outbox's when all receivers have "
        "applied what is in it. Also makes the partitions of the next four weeks; run it daily."
    )
    examples = """
  manage.py retain --dry-run
  manage.py retain"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take whether to do it."""
        parser.add_argument("--dry-run", action="store_true", help="only say what would go, and what would not")

    def run(self, **options: Any) -> None:
        """Do it. Exit code 1: something is old and cannot go."""
        now = datetime.now(UTC)
        kept = 0
        unread = import_string(settings.UNREAD)
        for alias in import_string(settings.HOSTED_CONTEXTS):
            for verdict in verdicts(alias, now, unread):
                if verdict.because:
                    kept += 1
                    self.whisper(f"{alias}: {verdict.partition.name} stays: {verdict.because}")
                    continue
                self.say(f"{alias}: {verdict.partition.name} {'would go' if options['dry_run'] else 'is dropped'}")
                if not options["dry_run"]:
                    drop(verdict)
            if not options["dry_run"]:
                make_ahead(alias, now)
                snapshots, letters = tidy(alias, now)
                if snapshots or letters:
                    self.say(f"{alias}: {counted(snapshots, 'snapshot')} and {counted(letters, 'dead letter')} deleted")
        for name in settings.RETAINERS:
            for gone in import_string(name)(now, is_dry=options["dry_run"]):
                self.say(f"{name.split('.')[1]}: {gone} {'would go' if options['dry_run'] else 'gone'}")
        if kept:
            sys.exit(1)
