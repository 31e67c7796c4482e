"""`manage.py drift`: what was traded live beside what a backtest of the same bars says."""

import argparse
from typing import Any

from apps.audit.drift import Drift, DriftError, DriftRow, drift
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from banyan import commands


class Command(commands.Command):
    """Shows how far live trading is from the same period's backtest."""

    help = """Compare what accounts have traded for a strategy set with a backtest of the same bars.

The backtest has the bars that the feed has let in, its strategies are warmed up as the set's are, its lots are fixed at
the decision (size_at=decision), and it begins flat, with the account's deposit, at the bar that decided the account's
first order of the set. Fees are those that live has paid, unless --fee-bps says otherwise. Shown by account and
instrument: filled orders and fills, how many of both the same bar decided, lots traded, what live paid more for those
in basis points, profit, and drift: profit live less that of the backtest. It reads only, and disturbs nobody."""
    examples = """
  manage.py drift trend --account ACME-1
  manage.py drift trend --lines 20            (the first twenty accounts that had orders of it)
  manage.py drift trend --account ACME-1 --fee-bps 0.5 --json"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("set", metavar="SET", help="the set's name")
        parser.add_argument("--account", action="append", default=[], metavar="ID", help="once for each")
        parser.add_argument("--lines", type=int, default=10, help="without --account: of how many accounts (10)")
        parser.add_argument("--fee-bps", type=float, help="fee of the backtest, in basis points (what live has paid)")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def run(self, **options: Any) -> None:
        """Compare."""
        for account in options["account"]:
            reporting.check(Scope(account=account))
        found = drift(options["set"], options["account"] or _following(options), options["fee_bps"])
        if options["json"]:
            self.say_json({"rows": [each._asdict() for each in found.rows], "not_compared": found.notes})
            return
        for line in _table(found):
            self.say(line)
        for note in found.notes:
            self.whisper(f"not compared: {note}")


def _following(options: dict[str, Any]) -> list[str]:
    if options["lines"] < 1:
        raise DriftError("--lines must be at least 1")
    everybody = [each.account for each in reporting.accounts(Scope(), 2**31)]
    of_set = (each for each in everybody if reporting.orders(Scope(account=each, set=options["set"]), 1))
    found = [account for account, _ in zip(of_set, range(options["lines"]), strict=False)]
    if not found:
        raise DriftError(f"no account has had an order of set {options['set']}: `manage.py report orders` shows all")
    return found


def _table(found: Drift) -> list[str]:
    if not found.rows:
        return []
    titles = [name.replace("_", " ") for name in DriftRow._fields]
    cells = [titles, *([_cell(value) for value in row] for row in found.rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(titles))]
    lines = [cells[0], ["-" * width for width in widths], *cells[1:]]
    lefts = 3
    return [
        "  ".join(
            text.ljust(width) if at < lefts else text.rjust(width)
            for at, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
