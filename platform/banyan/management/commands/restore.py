"""`manage.py restore`: databases as a backup has them, and nothing sent before brokers have been asked."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from banyan import commands
from banyan.backup import check, release, replace, rewind
from banyan.process import is_gone


class Command(commands.Command):
    """Put a backup in the place of what there is."""

    help = (
        "Replace all databases, or those named by --only, by what a backup holds. A backup that is not whole, or of "
        "another release, is refused, and nothing is changed then. The system must have been stopped. Afterwards no "
        "account trades until its broker has been asked anew what it holds and what became of its orders: orders that "
        "were sent after the backup was made are found there, taken back, and never sent again."
    )
    examples = """
  manage.py restore /srv/backups/2026-03-02
  manage.py restore /srv/backups/2026-03-02 --only execution"""
    when_stopped = "stopped by Ctrl-C; run it again, since nothing trades before it has come to its end"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take which backup, and what of it."""
        parser.add_argument("folder", type=Path, help="what `manage.py backup` has written")
        parser.add_argument("--only", action="append", default=[], metavar="CONTEXT", help="only this one's database")

    def run(self, **options: Any) -> None:
        """Restore."""
        unknown = set(options["only"]) - set(connections)
        if unknown:
            raise commands.UsageError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(connections)}")
        aliases = options["only"] or list(connections)
        folder = options["folder"].absolute()
        manifest = check(folder, aliases)
        replace(folder, manifest, aliases, is_gone)
        rewind(aliases, [alias for alias in connections if alias not in aliases])
        for name in settings.AFTER_RESTORE:
            for told in import_string(name)(aliases):
                self.say(told)
        release(aliases)
        self.say(f"restored {', '.join(aliases)} as of {manifest.made_at}")
