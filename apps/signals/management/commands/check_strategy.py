"""`manage.py check_strategy`."""

import argparse
import sys
from dataclasses import asdict
from typing import Any

from apps.signals.checking import Finding, check_strategy
from apps.signals.declaration import Strategy
from apps.signals.driving import Tape
from apps.signals.parameters import StrategyParameterError
from apps.signals.registry import get_strategy
from apps.signals.samples import sample_tapes
from banyan import commands

_VERDICTS = {True: "PASS", False: "FAIL", None: "n/a "}


class Command(commands.Command):
    """Runs every check of a strategy on real bars."""

    help = """Check a strategy on real bars: the samples of SPY by day and EURUSD by hour, or of several shares by day.

  look ahead    what is said up to a bar is the same when all later bars are others, and foresees none of them
  warm up       no opinion before the declared warm-up
  settling      with only the declared number of bars of history the opinion is that with all of it
  determinism   a second run is equal to the bit
  plain python  compiled code says what its Python source says
  state arrays  the state is arrays of numbers, new with every start
  pickling      a pickled state goes on where it was
  lines         declared lines, as columns, are what on_bar computes, to the bit"""
    examples = """\
  manage.py check_strategy sma_cross
  manage.py check_strategy my_trend.py --param window=20
  manage.py check_strategy my_trend.py --json
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("strategy", metavar="STRATEGY", help="a shipped one, or path/to/file.py[:name]")
        parser.add_argument(
            "--param", "-p", action="append", default=[], metavar="NAME=VALUE",
            help="a parameter of the strategy, once for each; the others keep their defaults",
        )  # fmt: skip
        parser.add_argument("--bars", type=int, default=2000, metavar="N", help="how many bars of each sample (2000)")
        parser.add_argument("--json", action="store_true", help="write JSON")

    def run(self, **options: Any) -> None:
        """Run the checks, print them, and exit with 1 if any of them fails."""
        strategy = get_strategy(options["strategy"])
        params = strategy.bind(**_parsed(strategy, options["param"]))
        findings = {
            sample: self._checked(strategy, params, sample, tape, quiet=options["json"])
            for sample, tape in sample_tapes(strategy, max(options["bars"], 10)).items()
        }
        failed = sum(finding.holds is False for each in findings.values() for finding in each)
        if options["json"]:
            found = {sample: [asdict(finding) for finding in each] for sample, each in findings.items()}
            self.say_json({"strategy": strategy.name, "failed": failed, "samples": found})
        elif failed:
            self.say(self.style.ERROR(f"{failed} check{'s' * (failed != 1)} failed"))
        else:
            self.say(self.style.SUCCESS("every check that applies holds"))
        if failed:
            sys.exit(1)

    def _checked(self, strategy: Strategy, params: Any, sample: str, tape: Tape, *, quiet: bool) -> list[Finding]:
        values = "  ".join(f"{name}={value}" for name, value in strategy.values(params).items())
        if not quiet:
            self.say(self.style.MIGRATE_HEADING(f"{strategy.name}  {values}  on {tape.time.size:,} x {sample}"))
        findings = []
        for finding in check_strategy(strategy, params, tape):
            findings.append(finding)
            if not quiet:
                verdict = _VERDICTS[finding.holds]
                styled = self.style.ERROR(verdict) if finding.holds is False else verdict
                self.say(f"  {styled}  {finding.check:<13} {finding.found}")
        return findings


def _parsed(strategy: Strategy, assignments: list[str]) -> dict[str, int | float | str]:
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise StrategyParameterError(f"--param {assignment}: write NAME=VALUE, as in fast=20")
        values[name.strip()] = strategy.parse(name.strip(), text.strip())
    return values
