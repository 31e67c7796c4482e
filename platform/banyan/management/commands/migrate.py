"""`manage.py migrate`: Django's, for every database at once, and with databases made where they are missing."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import DEFAULT_DB_ALIAS

from banyan.databases import create_missing, migrating


class Command(MigrateCommand):
    """Bring one database, or without `--database` all of them, to the state of their migrations."""

    help = "Create the databases that are missing and bring all of them up to date. --database limits it to one."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take Django's arguments; no `--database` means all."""
        super().add_arguments(parser)
        parser.set_defaults(database=None)

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Check the chosen database; all of them are checked when they are there."""
        return super().get_check_kwargs(options) if options["database"] is not None else {}

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate the chosen database, or each in turn."""
        if options["database"] is not None:
            super().handle(*args, **options)
            return
        for alias in settings.DATABASES:
            if create_missing(alias) and options["verbosity"]:
                self.stdout.write(f"Created database {settings.DATABASES[alias]['NAME']}.")
            label = options["app_label"] or (None if alias == DEFAULT_DB_ALIAS else alias)
            with migrating(alias):
                super().handle(*args, **{**options, "database": alias, "app_label": label})
