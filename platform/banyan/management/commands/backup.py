"""`manage.py backup`: a copy of all databases, of one moment."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.db import connections

from banyan import commands
from banyan.backup import make


class Command(commands.Command):
    """Write all databases to a folder, as one consistent set."""

    help = (
        "Copy all contexts' databases and the edge's ledger to a new folder, as they are at one moment: commits wait "
        "for a few milliseconds while it begins, and the system goes on. What is outside the databases (books, which "
        "`manage.py books rebuild` makes again, the paper broker's ledger, the kill switch) is no part of it."
    )
    examples = """
  manage.py backup /srv/backups/2026-03-02"""
    when_stopped = "stopped by Ctrl-C; there is no backup"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where it is to be."""
        parser.add_argument("folder", type=Path, help="a folder that does not exist yet")

    def run(self, **options: Any) -> None:
        """Write it."""
        manifest = make(options["folder"].absolute(), list(connections))
        rows = sum(table.rows for database in manifest.databases.values() for table in database.tables.values())
        self.say(f"{len(manifest.databases)} databases, {rows:,} rows in {options['folder']}")
