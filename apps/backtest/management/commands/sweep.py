"""`manage.py sweep`."""

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Any

from apps.backtest import cli_arguments as arguments
from apps.backtest import cli_output as output
from apps.backtest.cli_grid import parse_grid, size
from banyan import commands

if TYPE_CHECKING:
    from apps.backtest.sweep import Sweep

SHOWN = ("return_pct", "sharpe", "max_drawdown_pct", "n_trades", "win_rate_pct", "profit_factor", "dsr")


class Command(commands.Command):
    """Runs a strategy with every combination of a grid of parameters."""

    help = """Run a strategy with every combination of a grid of parameters, and rank what comes out.

A grid is name=start:stop:step, which runs as Python's range does, the stop left out (fast=5:25:1 is 5, 6, ... 24); or
name=a,b,c; or just a name, for the values that the strategy declares. Without any --grid all declared values are
swept. Combinations that do not go together (a fast average slower than the slow one) are left out and counted.

The best of many is better than it will be: the column dsr is the deflated Sharpe ratio, the probability that the Sharpe
ratio is more than the luck of so many tries. See also optimize and walkforward."""
    usage = (
        "STRATEGY (--instrument ID ... --interval SPAN | --csv FILE ...) [--grid NAME=START:STOP:STEP ...] [options]"
    )
    examples = """
  manage.py sweep sma_cross --instrument OANDA:EURUSD --interval 1h --grid fast=5:25:1 --grid slow=30:230:10
  manage.py sweep ema_cross --csv prices.csv.gz --grid fast=8,13,21 --grid slow=34,55 --rank calmar --html sweep.html
  manage.py sweep sma_cross --instrument NYSEARCA:SPY --interval 1d --distributed    (on Celery workers)"""

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
        from apps.backtest.sweeping import best_request, rows_of, warm, write_report
        from apps.signals.interface import get_strategy

        request = arguments.request_of(given)
        strategy = get_strategy(request.strategy)
        grid = parse_grid(strategy, given["grid"])
        loaded = request.data.load()
        begun = perf_counter()
        warm(request, loaded)
        warmed = perf_counter()
        with output.Progress("runs", quiet=given["json"] == "-") as progress:
            sweep = self._sweep(request, loaded, grid, given, progress)
        seconds = perf_counter() - warmed
        best = best_request(sweep, request)
        document = {
            "strategy": sweep.strategy.name, "rank": sweep.rank, "combinations": sweep.order.size, "seconds": seconds,
            "loading_seconds": warmed - begun,
            "best": sweep.best, "options": request.options, "notes": loaded.notes, "command": best.command(),
            "rows": [dict(zip(sweep.columns, row, strict=True)) for row in rows_of(sweep, list(sweep.columns))],
        }  # fmt: skip
        written: list[tuple[str, Any]] = []
        if given["csv_out"]:
            written.append(("rows", output.written(given["csv_out"], sweep.table.to_csv(index=False))))
        if given["json"]:
            written.append(("json", output.write_json(document, given["json"], self.say)))
        if given["html"]:
            written.append(("report", write_report(sweep, best.run(loaded), loaded.notes, given["html"])))
        if given["json"] == "-":
            return
        shown = dict.fromkeys(each for each in (given["rank"], *SHOWN) if each in sweep.columns)
        names = [*grid, *shown]
        count = f"{sweep.order.size:,} combinations"
        if refused := size(grid) - sweep.order.size:
            count += f" ({refused:,} do not go together, left out)"
        self.say(
            f"{sweep.strategy.name}  {count}, by {given['rank']}, in {seconds:.2f} s "
            f"after {warmed - begun:.1f} s of loading and compiling"
        )
        self.say(f"{output.INDENT}{', '.join(loaded.bars)}  {output.span(loaded.bars.values())}\n")
        self.say("\n".join(output.table(names, rows_of(sweep, names, given["top"]))))
        self.say("\n".join(f"{output.INDENT}note: {note}" for note in (*loaded.notes, output.LUCK)))
        self.say(f"\n{output.INDENT}best    {best.command()}")
        for what, path in written:
            self.say(f"{output.INDENT}{what:<7} {path}")

    def _sweep(self, request: Any, loaded: Any, grid: Any, given: dict[str, Any], progress: output.Progress) -> "Sweep":
        from apps.backtest.sweeping import sweep_locally, sweep_on_workers

        if given["distributed"]:
            from django.conf import settings

            if settings.CELERY_BROKER_URL:
                from django.utils.module_loading import import_string

                app = import_string(settings.CELERY_APP)
                return sweep_on_workers(request, loaded, grid, given["rank"], app, progress)
            self.whisper("no CELERY_BROKER_URL is set: using the cores of this machine")
        return sweep_locally(request, loaded, grid, given["rank"], given["workers"], progress)


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
