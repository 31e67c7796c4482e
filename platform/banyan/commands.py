"""What all commands have in common: how they teach, how they fail and how they stop."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter

FAILED, WRONG_USAGE, STOPPED = 1, 2, 130

_EXIT_CODES = """exit codes:
  0    done
  1    it failed, for the reason that was printed
  2    wrong usage: an unknown name, option or value
  130  stopped by Ctrl-C
"""
_OUR_PACKAGES = ("apps", "banyan", "extract", "settings", "trading")


class UsageError(ValueError):
    """What was typed on the command line does not go together."""

    exit_code: ClassVar = WRONG_USAGE


class Help(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Leaves descriptions and examples as they are written."""


class Action(NamedTuple):
    """One of the things that a command does: it has arguments, help and examples of its own."""

    name: str
    help: str
    """What it does, in a line; more may follow after an empty one."""
    arguments: Callable[[argparse.ArgumentParser], None]
    examples: str = ""


class Command(BaseCommand):
    """A command whose help shows `examples`, whose foreseen errors are one line, and that needs no system checks.

    A subclass defines `help`, `examples`, `run(**options)`, and `add_arguments` or, where it does several things that
    take different arguments, `actions`: then `options["action"]` says which was asked for. `usage` is for where
    argparse's own is long, `when_stopped` for where more can be said of a command that Ctrl-C stopped.
    """

    requires_system_checks: list[str] = []
    suppressed_base_arguments = {
        "--version", "--verbosity", "--settings", "--pythonpath", "--skip-checks", "--force-color", "--no-color",
    }  # fmt: skip
    examples = ""
    usage = ""
    actions: Sequence[Action] = ()
    when_stopped = "stopped by Ctrl-C; nothing was stored"

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Return the parser, with examples and exit codes under the options."""
        epilog = f"examples:\n{self.examples.strip(chr(10))}\n\n{_EXIT_CODES}"
        usage = f"{Path(prog_name).name} {subcommand} {self.usage}" if self.usage else None
        return super().create_parser(prog_name, subcommand, epilog=epilog, formatter_class=Help, usage=usage, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare what can be typed: unless a subclass says otherwise, the actions, each with its own arguments."""
        if not self.actions:
            return
        choices = parser.add_subparsers(dest="action", required=True, metavar="ACTION", title="actions")
        for action in self.actions:
            told = action.help[:1].upper() + action.help[1:]
            line = action.help.partition("\n")[0]
            epilog = f"examples:\n{action.examples.strip(chr(10))}" if action.examples else None
            of_action = choices.add_parser(
                action.name, help=line, description=told, epilog=epilog, formatter_class=Help
            )
            of_action.add_argument(
                "--traceback", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
            )
            action.arguments(of_action)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a program; after Ctrl-C leave at once, where threads would first finish their work."""
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            if end.code == STOPPED:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(STOPPED)
            raise

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command and turn foreseen errors into one line and an exit code; with --traceback show them all."""
        try:
            self.run(**options)
        except KeyboardInterrupt:
            raise CommandError(self.when_stopped, returncode=STOPPED) from None
        except BrokenPipeError:
            _leave_quietly()
        except CommandError:
            raise
        except Exception as error:
            found = None if options.get("traceback") else explained(error)
            if found is None:
                raise
            raise CommandError(found[0], returncode=found[1]) from error

    def run(self, **options: Any) -> None:
        """Do what the command does."""
        raise NotImplementedError

    def say(self, text: str = "") -> None:
        """Write a line to standard output."""
        self.stdout.write(f"{text}\n")  # Django leaves out the line's end where the text has one of its own

    def say_json(self, value: Any) -> None:
        """Write a value to standard output as JSON."""
        self.say(json.dumps(value, indent=2, default=str))

    def whisper(self, text: str) -> None:
        """Write a line to standard error, where it disturbs nobody who reads the output."""
        self.stderr.write(text, self.style.NOTICE if self.stderr.isatty() else lambda line: line)


def set_up_django() -> None:
    """Set Django up where that has not been done: a command that can do without the database begins without."""
    import django
    from django.apps import apps

    if not apps.ready:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings.dev")
        django.setup()


def counted(count: int, thing: str) -> str:
    """Return "1 gap" or "1,200 gaps"."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def explained(error: Exception) -> tuple[str, int] | None:
    """Return what to tell of an error that was foreseen, and the exit code; None for a bug.

    Foreseen are errors of files and databases, and the errors that Banyan's own packages declare: such a class says
    `exit_code = 2` where it means that a command was used wrongly.
    """
    if isinstance(error, OSError):
        return (f"{error.filename}: {error.strerror}" if error.filename else str(error)), FAILED
    is_ours = type(error).__module__.partition(".")[0] in _OUR_PACKAGES
    if is_ours and isinstance(error, ValueError | LookupError | RuntimeError):
        return str(error), getattr(error, "exit_code", FAILED)
    from banyan.databases import explain

    explanation = explain(error)
    return None if explanation is None else (explanation, FAILED)


def _leave_quietly() -> NoReturn:
    """End as `head` wants it: the reader of our output has gone."""
    with contextlib.suppress(OSError):
        sys.stderr.close()
    raise SystemExit(0)
