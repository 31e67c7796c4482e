"""What the commands of signals have in common: how they teach, and how they fail."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.signals.errors import StrategyError
from apps.signals.parameters import StrategyParameterError
from apps.signals.registry import UnknownStrategyError
from apps.signals.template import StrategyNameError

_EXIT_CODES = """exit codes:
  0  done
  1  a check failed, or the strategy cannot be loaded, compiled or run
  2  wrong usage: an unknown strategy or parameter, a value out of bounds, a name that is taken
"""


class TeachingCommand(BaseCommand):
    """A command whose help ends with `examples`, and whose foreseen failures are one line and an exit code.

    A subclass defines `help`, `examples`, `add_arguments` and `run(**options)`.
    """

    requires_system_checks: list[str] = []
    examples = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        """Return the parser, with examples and exit codes under the options."""
        epilog = f"examples:\n{self.examples}\n{_EXIT_CODES}"
        form = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, epilog=epilog, formatter_class=form, **kwargs)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command; turn what was foreseen into a CommandError without a traceback."""
        try:
            self.run(**options)
        except (UnknownStrategyError, StrategyParameterError, StrategyNameError) as error:
            raise CommandError(str(error), returncode=2) from error
        except (StrategyError, OSError) as error:
            raise CommandError(str(error), returncode=1) from error

    def run(self, **options: Any) -> None:
        """Do what the command does."""
        raise NotImplementedError
