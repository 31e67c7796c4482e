"""`manage.py backtest`."""

import argparse
from pathlib import Path
from typing import Any

from apps.backtest import cli_arguments as arguments
from apps.backtest import cli_output as output
from apps.backtest.result import Result
from banyan import commands


class Command(commands.Command):
    """Runs one strategy on bars and says how it did."""

    help = """Run a strategy on bars and say how it did.

The bars are those that import_bars has put into the database, or, with --csv, those of a file: then nothing is imported
and no database is used. Each run on imported bars is stored (see `manage.py runs`) and can be reproduced bit for bit.
Decisions are made at a bar's close and, unless --fill close, traded at the next open. Times are UTC; percentages are
percent (5 means 5 %), fees and slippage in bps are hundredths of a percent, rates are a year's."""
    usage = "STRATEGY (--instrument ID ... --interval SPAN | --csv FILE ...) [options]"
    examples = """
  manage.py backtest ema_cross --instrument OANDA:EURUSD --interval 1h --from 2010 --html report.html
  manage.py backtest sma_cross --csv prices.csv.gz --param fast=20 --param slow=50 --fee-bps 5
  manage.py backtest pairs_zscore --instrument NYSEARCA:SPY NASDAQ:QQQ --interval 1d --adjust all
  manage.py backtest my_strategy.py --csv prices.csv --json - | jq .sharpe"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        arguments.add_strategy_arguments(parser)
        arguments.add_data_arguments(parser)
        arguments.add_option_arguments(parser)
        add_output_arguments(parser)

    def run(self, **given: Any) -> None:
        """Run the backtest, write what was asked for, and print the summary."""
        request = arguments.request_of(given)
        if given["store"] is None:
            given["store"] = request.data.is_stored
        if request.data.is_stored or given["store"]:
            commands.set_up_django()
        result = request.run()
        stored = None
        if given["store"]:
            from apps.backtest.store import save_as_run

            stored = save_as_run(result, request)
        document = output.document(result, run=stored)
        lines = [f"{output.INDENT}{what:<7} {path}" for what, path in write_files(result, document, given)]
        if given["json"] == "-":
            output.write_json(document, "-", self.say)
            return
        self.say("\n".join(output.summary(result, request.options)))
        if stored:
            lines.insert(0, f"{output.INDENT}run     {stored}  (manage.py runs show {stored})")
        if lines:
            self.say("\n".join(["", *lines]))


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is written where."""
    group = parser.add_argument_group("output")
    group.add_argument(
        "--json", default="", metavar="FILE", help="metrics, parameters and manifest; - prints them and nothing else"
    )
    group.add_argument("--trades", default="", metavar="FILE.csv", help="the round trips")
    group.add_argument("--fills", default="", metavar="FILE.csv", help="the fills")
    group.add_argument("--equity", default="", metavar="FILE.csv", help="equity and exposure at every close")
    group.add_argument("--html", default="", metavar="FILE", help="the report, one file that needs no network")
    group.add_argument("--png", default="", metavar="FILE", help="the report's plots as a picture")
    group.add_argument(
        "--store", action=argparse.BooleanOptionalAction, default=None,
        help="keep the run in the database (runs on imported bars are kept, runs off files are not)",
    )  # fmt: skip


def write_files(result: Result, document: dict[str, Any], given: dict[str, Any]) -> list[tuple[str, Path]]:
    """Write the files that were asked for; return what each is, and its path. Raises UsageError for one name twice."""
    asked = [
        given[name] for name in ("json", "trades", "fills", "equity", "html", "png") if given[name] not in ("", "-")
    ]
    if len({str(Path(name).resolve()) for name in asked}) < len(asked):
        raise commands.UsageError(f"two outputs have one name: {', '.join(asked)}")
    made: list[tuple[str, Path]] = []
    if given["json"] not in ("", "-"):
        made.append(("json", output.write_json(document, given["json"], print)))  # type: ignore[arg-type]
    for name, frame in (
        ("trades", lambda: result.trades),
        ("fills", lambda: result.fills),
        ("equity", lambda: output.curve(result)),
    ):
        if given[name]:
            made.append((name, output.written(given[name], frame().to_csv(index=False))))
    if given["html"]:
        made.append(("report", result.report(given["html"])))
    if given["png"]:
        made.append(("picture", result.picture(given["png"])))
    return made
