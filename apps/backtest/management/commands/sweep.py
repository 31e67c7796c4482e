"""`manage.py sweep`."""

import argparse
from typing import Any

from apps.backtest import cli_arguments as arguments
from apps.backtest import cli_output as output
from apps.backtest.cli import Command as TeachingCommand
from apps.backtest.cli_grid import parse_grid, size
from apps.backtest.cli_names import LOWER_IS_BETTER
from apps.backtest.sweeping import Swept, sweep_locally, sweep_on_workers

SHOWN = ("return_pct", "sharpe", "max_drawdown_pct", "n_trades", "win_rate_pct", "profit_factor")


class Command(TeachingCommand):
    """Runs a strategy with every combination of a grid of parameters."""

    help = """Run a strategy with every combination of a grid of parameters, and rank what comes out.

A grid is name=start:stop:step, which runs as Python's range does: from start, stop left out (fast=5:25:1 is 5, 6, ... 24);
or name=a,b,c; or just a name, for the values that the strategy declares. Without any --grid all declared values are
swept. Combinations that the strategy refuses (a fast average slower than the slow one) are left out and counted.

The best of many is better than it will be: the column dsr is the deflated Sharpe ratio, the probability that the Sharpe
ratio is more than the luck of so many tries. See also optimize and walkforward."""
    usage = (
        "STRATEGY (--instrument ID ... --interval SPAN | --csv FILE ...) [--grid NAME=START:STOP:STEP ...] [options]"
    )
    examples = """
  manage.py sweep sma_cross --instrument OANDA:EURUSD --interval 1h --grid fast=5:25:1 --grid slow=30:230:10
  manage.py sweep ema_cross --csv prices.csv.gz --grid fast=8,13,21 --grid slow=34,55 --rank calmar --html sweep.html
  manage.py sweep sma_cross --instrument NYSEARCA:SPY --interval 1d --distributed    (Celery workers, CELERY_BROKER_URL)"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        arguments.add_strategy_arguments(parser)
        add_grid_arguments(parser)
        parser.add_argument(
            "--distributed", action="store_true",
            help="send the combinations to Celery workers over CELERY_BROKER_URL; without a broker, use the cores here",
        )  # fmt: skip
        arguments.add_data_arguments(parser)
        arguments.add_option_arguments(parser)
        group = parser.add_argument_group("output")
        group.add_argument("--top", type=int, default=10, metavar="N", help="rows printed (10)")
        group.add_argument(
            "--csv-out", default="", metavar="FILE.csv", help="every combination, parameters and metrics"
        )
        group.add_argument(
            "--json", default="", metavar="FILE", help="the rows, best first; - prints them and nothing else"
        )
        group.add_argument(
            "--html", default="", metavar="FILE", help="the report: heat map, best rows and the best run"
        )

    def run(self, **given: Any) -> None:
        """Sweep, write what was asked for, and print the best rows."""
        from apps.signals.interface import get_strategy

        request = arguments.request_of(given)
        strategy = get_strategy(request.strategy)
        grid = parse_grid(strategy, given["grid"])
        output.say_if_cold(self.whisper)
        loaded = request.data.load()
        with output.Progress("runs", quiet=given["json"] == "-") as progress:
            if given["distributed"]:
                swept = sweep_on_workers(request, loaded, grid, given["rank"], given["workers"], progress, self.whisper)
            else:
                swept = sweep_locally(request, loaded, grid, given["rank"], given["workers"], progress)
        lines = [f"{output.INDENT}{what:<7} {path}" for what, path in self._written(swept, given)]
        if given["json"] == "-":
            output.write_json(self._document(swept), "-", self.say)
            return
        names = [*grid, *dict.fromkeys(each for each in (given["rank"], *SHOWN, "dsr") if each in swept.table)]
        self.say(
            f"{strategy.name}  {len(swept):,} of {size(grid):,} combinations, by {given['rank']}, in {swept.seconds:.2f} s"
        )
        self.say(f"{output.INDENT}{', '.join(loaded.bars)}  {swept.span}")
        self.say()
        self.say("\n".join(output.table(names, swept.rows(names, given["top"]))))
        for note in (*loaded.notes, *swept.notes):
            self.say(f"{output.INDENT}note: {note}")
        self.say(f"\n{output.INDENT}best    {swept.command}")
        if lines:
            self.say("\n".join(lines))

    def _document(self, swept: Swept) -> dict[str, Any]:
        names = list(swept.table)
        return {
            "strategy": swept.strategy, "rank": swept.rank, "combinations": len(swept), "seconds": swept.seconds,
            "best": swept.best, "notes": swept.notes, "manifest": swept.manifest,
            "rows": [dict(zip(names, row, strict=True)) for row in swept.rows(names, len(swept))],
        }  # fmt: skip

    def _written(self, swept: Swept, given: dict[str, Any]) -> list[tuple[str, Any]]:
        made: list[tuple[str, Any]] = []
        if given["csv_out"]:
            made.append(("rows", output.written(given["csv_out"], swept.frame().to_csv(index=False))))
        if given["json"] not in ("", "-"):
            made.append(("json", output.write_json(self._document(swept), given["json"], self.say)))
        if given["html"]:
            made.append(("report", swept.report(given["html"], higher_is_better=given["rank"] not in LOWER_IS_BETTER)))
        return made


def add_grid_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --grid, --rank and --workers."""
    parser.add_argument(
        "--grid", "-g", action="append", default=[], metavar="NAME=START:STOP:STEP",
        help="values of a parameter; once for each: start:stop:step (stop left out), or a,b,c, or just the name",
    )  # fmt: skip
    parser.add_argument(
        "--rank", default="sharpe", metavar="METRIC", help="metric that orders the combinations (sharpe)"
    )
    parser.add_argument("--workers", type=int, default=None, metavar="N", help="processes; every core when not given")
