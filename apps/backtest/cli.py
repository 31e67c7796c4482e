"""What all commands of this context have in common: how they teach, how they fail and how they stop."""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, DjangoHelpFormatter

EXIT_CODES = """exit codes:
  0    done
  1    the run failed: no data, a file that cannot be read, a strategy that raised
  2    wrong usage: an unknown strategy, parameter, option or value
  130  stopped by Ctrl-C
"""

STOPPED = 130

# What was typed cannot be run; every other error of ours is a run that failed.
_USAGE_ERRORS = (
    "ChannelsError", "DataRequestError", "GridError", "IntervalError", "OptionError", "StrategyParameterError",
    "UnknownStrategyError", "UsageError",
)  # fmt: skip
_OUR_PACKAGES = ("apps", "banyan", "trading", "settings")


class UsageError(ValueError):
    """What was typed on the command line does not go together."""


class Help(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Leaves descriptions and examples as they are written."""


class Command(BaseCommand):
    """A command whose help shows `examples`, whose errors are one line, and that needs no system checks.

    A subclass defines `help`, `usage`, `examples`, `add_arguments` and `run(**options)`.
    """

    requires_system_checks: list[str] = []
    suppressed_base_arguments = {
        "--version", "--verbosity", "--settings", "--pythonpath", "--skip-checks", "--force-color", "--no-color",
    }  # fmt: skip
    examples = ""
    usage = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Return the parser, with examples and exit codes under the options."""
        epilog = f"examples:\n{self.examples.strip(chr(10))}\n\n{EXIT_CODES}"
        usage = f"{Path(prog_name).name} {subcommand} {self.usage}" if self.usage else None
        return super().create_parser(prog_name, subcommand, epilog=epilog, formatter_class=Help, usage=usage, **kwargs)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a program; after Ctrl-C leave at once, where threads of a sweep would first finish their work."""
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            if end.code == STOPPED:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(STOPPED)
            raise

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command and turn anticipated failures into one line and an exit code."""
        with one_line_errors(traceback=bool(options.get("traceback"))):
            self.run(**options)

    def run(self, **options: Any) -> None:
        """Do what the command does."""
        raise NotImplementedError

    def say(self, text: str = "") -> None:
        """Write a line to standard output."""
        self.stdout.write(text)

    def whisper(self, text: str) -> None:
        """Write a line to standard error, where it disturbs nobody who reads the output."""
        self.stderr.write(text, self.style.NOTICE if self.stderr.isatty() else lambda line: line)


@contextlib.contextmanager
def one_line_errors(traceback: bool = False) -> Iterator[None]:
    """Turn errors that were foreseen into CommandError with the exit code that `EXIT_CODES` promises; pass bugs on."""
    try:
        yield
    except KeyboardInterrupt:
        raise CommandError("stopped by Ctrl-C; nothing was stored", returncode=STOPPED) from None
    except BrokenPipeError:
        _leave_quietly()
    except CommandError:
        raise
    except Exception as error:
        code = None if traceback else exit_code(error)
        if code is None:
            raise
        raise CommandError(_text(error), returncode=code) from error


def exit_code(error: Exception) -> int | None:
    """Return 2 for wrong usage, 1 for a failure that was foreseen, None for a bug."""
    if type(error).__name__ in _USAGE_ERRORS:
        return 2
    is_ours = type(error).__module__.partition(".")[0] in _OUR_PACKAGES
    if is_ours and isinstance(error, ValueError | LookupError | RuntimeError):
        return 1
    if isinstance(error, OSError):
        return 1
    if type(error).__module__.startswith("django.db") and type(error).__name__ in (
        "OperationalError",
        "ProgrammingError",
    ):
        return 1
    return None


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if type(error).__name__ == "OperationalError":
        return f"the database does not answer: {error}".strip()
    if type(error).__name__ == "ProgrammingError":
        return f"the database has no tables for this, run `manage.py migrate`: {str(error).splitlines()[0]}"
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)


def _leave_quietly() -> NoReturn:
    """End as `head` wants it: the reader of our output has gone."""
    with contextlib.suppress(OSError):
        sys.stderr.close()
    raise SystemExit(0)
