"""`manage.py migrate`: Django's, for every database at once, and with databases made where they are missing."""

from collections.abc import Collection, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils.module_loading import module_has_submodule

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
        known = MigrationLoader(None).disk_migrations.keys()
        for alias in settings.DATABASES:
            if connections[alias].vendor == "unknown":
                continue  # a service has no default database
            if create_missing(alias) and options["verbosity"]:
                self.stdout.write(f"Created database {settings.DATABASES[alias]['NAME']}.")
            with migrating(alias):
                labels = [options["app_label"]] if options["app_label"] else _labels(alias)
                if _is_plain(options) and _has_all(alias, labels, known):
                    if options["verbosity"]:
                        self.stdout.write(f"{settings.DATABASES[alias]['NAME']} is up to date.")
                    continue
                for label in labels:
                    super().handle(*args, **{**options, "database": alias, "app_label": label})


def _is_plain(options: dict[str, Any]) -> bool:
    """Tell whether nothing is asked for but to bring databases up to date."""
    special = ("app_label", "fake", "fake_initial", "plan", "run_syncdb", "check_unapplied", "prune")
    return not any(options[name] for name in special)


def _has_all(alias: str, labels: Sequence[str | None], known: Collection[tuple[str, str]]) -> bool:
    """Tell whether a database has all `known` migrations of these applications, or with None of all that there are."""
    wanted = {migration for migration in known if None in labels or migration[0] in labels}
    return wanted <= MigrationRecorder(connections[alias]).applied_migrations().keys()


def _labels(alias: str) -> list[str | None]:
    """Return the applications whose tables are in a database; None is Django's word for all."""
    if alias == DEFAULT_DB_ALIAS:
        return [None]
    with_migrations = {
        config.label for config in apps.get_app_configs() if module_has_submodule(config.module, "migrations")
    }
    wanted = [alias, "banyan"] if router.allow_migrate(alias, "banyan") else [alias]
    return [label for label in wanted if label in with_migrations]
