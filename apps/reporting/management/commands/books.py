"""`manage.py books`: the files of each account's trades and orders."""

import argparse
import sys
from typing import Any

from django.conf import settings

from apps.reporting.books.files import BookFiles
from apps.reporting.books.form import COLUMNS
from apps.reporting.books.keeping import READER, rebuild
from apps.reporting.database import ALIAS, connect
from apps.reporting.following import behind, marks_of
from apps.reporting.models import Account
from apps.reporting.scoping import ScopeError
from apps.reporting.sources import Log
from banyan import commands
from banyan.commands import counted


class Command(commands.Command):
    """Looks after tradebooks and orderbooks."""

    help = (
        "Each account has a tradebook.csv (lots that it got or gave) and an orderbook.csv (what happened to its "
        "orders) in a directory of its own, written by role `books` as execution's log grows. status: how far they "
        "are. path: where an account's files are. rebuild: build files again from the log, beside a running system or "
        "without one."
    )
    examples = """
  manage.py books status
  manage.py books path ACME-1
  manage.py books rebuild
  manage.py books rebuild ACME-1 ACME-2"""
    when_stopped = "stopped by Ctrl-C; files that were replaced already stay, the others are as they were"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("action", choices=("status", "path", "rebuild"))
        parser.add_argument("account", nargs="*", help="accounts by their ids (rebuild: all)")

    def run(self, **options: Any) -> None:
        """Do it. Exit code 1: status has found something that is not written yet."""
        getattr(self, f"_{options['action']}")(options["account"])

    def _status(self, _: list[str]) -> None:
        log = Log("execution")
        with connect() as connection:
            marks = marks_of(connection, READER)
        waiting = behind(marks, [log])
        log.close()
        for name, key in sorted({*marks, *waiting}):
            ahead = waiting.get((name, key), 0)
            state = "written to its end" if not ahead else f"{ahead:,} behind" if ahead > 0 else "put back: rebuild"
            self.say(f"{name + '/' + key:<30} #{marks.get((name, key), (0, 0))[0]:<10,} {state}")
        if not marks and not waiting:
            self.say("no log has begun yet")
        if waiting:
            sys.exit(1)

    def _path(self, accounts: list[str]) -> None:
        files = BookFiles(settings.BOOKS_DIR)
        found = Account.objects.using(ALIAS).filter(id__in=accounts)
        clients = dict(found.values_list("id", "client"))
        if not accounts:
            raise ScopeError("of which accounts? Give their ids")
        for account in accounts:
            if account not in clients:
                raise ScopeError(
                    f"there is no account {account}: `manage.py report accounts` lists those that there are"
                )
            for file in COLUMNS:
                self.say(str(files.path(clients[account], account, file)))

    def _rebuild(self, accounts: list[str]) -> None:
        log = Log("execution")
        built = rebuild(log, settings.BOOKS_DIR, accounts)
        log.close()
        for path in built.different:
            self.whisper(f"{path} was not what the log says")
        self.say(f"{counted(built.files, 'file')} built again, {len(built.different):,} of them differed")
