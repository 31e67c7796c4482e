"""`manage.py run`: the system, as one tree of processes."""

import argparse
import signal
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.module_loading import import_string

from banyan import commands
from banyan.clock import SystemClock
from banyan.process import Part, Roles, Supervisor, run_roles, stop_with_supervisor
from banyan.transport import LocalTransport


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
            "--part", type=_part, default=Part(), metavar="K/N", help="hold part K of N of the keys only"
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
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        stop_with_supervisor(stop)
        if options["role"]:
            chosen = [roles[name] for name in options["role"]]
            transport = LocalTransport(import_string(settings.SENDERS))
            ended_well = run_roles(chosen, transport, SystemClock(), stop, options["part"])
            sys.exit(0 if ended_well else 1)
        sys.exit(Supervisor(_commands(roles), stop=stop).run())


def _commands(roles: Roles) -> dict[str, list[str]]:
    """Return the command of each process: this one with the roles that belong there."""
    processes: dict[str, list[str]] = {}
    for role in roles.values():
        for number in range(1, role.parts + 1):
            name, more = role.process, []
            if role.parts > 1:
                name, more = f"{role.process}-{number}", ["--part", f"{number}/{role.parts}"]
            processes.setdefault(name, [sys.executable, sys.argv[0], "run", *more]).append(role.name)
    return processes


def _part(text: str) -> Part:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K from 1 to N, such as 1/2")
    return Part(int(number), int(count))
