"""`manage.py run`: the system, as one tree of processes."""

import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connections
from django.utils.module_loading import import_string

from banyan import commands
from banyan.clock import SystemClock
from banyan.databases import check_set_up
from banyan.process import Part, Role, Roles, Supervisor, run_roles
from banyan.process.allocator import return_memory
from banyan.process.supervisor import Body
from banyan.process.usage import step_back
from banyan.road import ROAD, place_of
from banyan.transport import LocalTransport

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Command(commands.Command):
    """Run all roles under a supervisor, or the named ones in this process."""

    help = (
        "Run the system. Without arguments every role runs, in a few processes under a supervisor that starts again "
        "what dies. With roles, just these run, in this process. SIGTERM or Ctrl-C ends all within five seconds."
    )

    examples = """
  manage.py run
  manage.py run feeds signals
  manage.py run execution risk edge --part 1/2
  manage.py run --list"""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the roles."""
        parser.add_argument("role", nargs="*", help="roles to run in this process; see --list")
        parser.add_argument(
            "--part", type=Part.typed, default=Part(), metavar="K/N", help="hold part K of N of the keys only"
        )
        parser.add_argument("--list", action="store_true", help="list the roles and end")

    def run(self, **options: Any) -> None:
        """Run until told to stop. Exit code 1: something did not end in order."""
        roles: Roles = import_string(settings.ROLES)
        if options["list"]:
            for role in roles.values():
                processes = f"{role.parts} processes {role.process}" if role.parts > 1 else f"process {role.process}"
                self.say(f"{role.name:<12} {role.help} ({processes})")
            return
        unknown = [name for name in options["role"] if name not in roles]
        if unknown:
            raise CommandError(f"there is no role {', '.join(unknown)}; the roles are {', '.join(roles)}")
        check_set_up(alias for alias in settings.DATABASES if alias not in settings.EXTRACTED)
        stop = threading.Event()
        return_memory()
        if options["role"]:
            _set_at_signals(stop)
            sys.exit(0 if _run([roles[name] for name in options["role"]], options["part"], stop) else 1)
        for number in _STOPPING:
            signal.signal(number, lambda *_: sys.exit(0))
        import_string(settings.PREPARE)()
        connections.close_all()
        _set_at_signals(stop)
        road = place_of(settings.DATA_DIR)
        try:
            ROAD.share(road)
        except OSError as problem:
            self.stderr.write(f"Servers do not give way to what is decided: {problem}")
        status = Supervisor(_bodies(roles), stop=stop).run()
        road.unlink(missing_ok=True)
        sys.exit(status)


def _set_at_signals(stop: threading.Event) -> None:
    for number in _STOPPING:
        signal.signal(number, lambda *_: stop.set())


def _run(roles: Sequence[Role], part: Part, stop: threading.Event) -> bool:
    if settings.GIVES_WAY:
        step_back(min(role.niceness for role in roles))
    return run_roles(roles, LocalTransport(import_string(settings.BESIDE)), SystemClock(), stop, part)


def _bodies(roles: Roles) -> dict[str, Body]:
    """Return what each process does: the roles that belong there, with its part of their keys."""
    processes: dict[tuple[str, Part], list[Role]] = {}
    for role in roles.values():
        for number in range(1, role.parts + 1):
            name = f"{role.process}-{number}" if role.parts > 1 else role.process
            processes.setdefault((name, Part(number, role.parts)), []).append(role)
    return {name: partial(_run, theirs, part) for (name, part), theirs in processes.items()}
