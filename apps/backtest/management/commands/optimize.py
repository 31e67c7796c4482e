"""`manage.py optimize`."""

import argparse
from typing import Any

from apps.backtest import cli_arguments as arguments
from apps.backtest import cli_output as output
from apps.backtest.cli_grid import parse_grid, parse_ranges
from apps.backtest.management.commands.backtest import add_output_arguments, write_files
from banyan import commands


class Command(commands.Command):
    """Searches for good parameters with Optuna."""

    help = """Search for good parameters with Optuna instead of trying all of them.

Every parameter that declares values worth trying is searched between the lowest and the highest of them; --range
name=lowest:highest (both included) and --grid name=a,b,c say otherwise. TPE proposes the trials. Each runs on the first
quarter, then the first half, then all of the bars, and is given up where it is worse than the median before it.
The same --seed gives the same search.

The best of many trials owes part of its Sharpe ratio to luck: the summary has dsr, the deflated Sharpe ratio, the
probability that it is more than the best that as many trials without skill would show. Then judge by walkforward."""
    usage = "STRATEGY (--instrument ID ... --interval SPAN | --csv FILE ...) [--trials N] [options]"
    examples = """
  manage.py optimize ema_cross --instrument OANDA:EURUSD --interval 1h --trials 200
  manage.py optimize bollinger_reversion --csv prices.csv.gz --range window=10:100 --rank calmar --seed 7"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        arguments.add_strategy_arguments(parser)
        parser.add_argument("--trials", type=int, default=200, metavar="N", help="parameter sets tried (200)")
        parser.add_argument(
            "--range", action="append", default=[], metavar="NAME=LOW:HIGH", help="search between these, both included"
        )
        parser.add_argument(
            "--grid",
            "-g",
            action="append",
            default=[],
            metavar="NAME=A,B,C",
            help="search among these (or start:stop:step)",
        )
        parser.add_argument("--rank", default="sharpe", metavar="METRIC", help="metric that is searched for (sharpe)")
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the search (0)")
        arguments.add_data_arguments(parser)
        arguments.add_option_arguments(parser)
        add_output_arguments(parser)
        parser.add_argument("--top", type=int, default=5, metavar="N", help="trials printed (5)")
        parser.add_argument("--csv-out", default="", metavar="FILE.csv", help="every trial, parameters and metrics")

    def run(self, **given: Any) -> None:
        """Search, write what was asked for, and print the best trials and the run of the best."""
        from dataclasses import replace

        from apps.backtest.optimize import search, space_of
        from apps.signals.interface import get_strategy

        if given["trials"] < 1:
            raise commands.UsageError("--trials: try at least one")
        request = arguments.request_of(given)
        strategy = get_strategy(request.strategy)
        space = space_of(
            strategy,
            parse_grid(strategy, given["grid"]) if given["grid"] else {},
            parse_ranges(strategy, given["range"]),
        )
        loaded = request.data.load()
        with output.Progress("trials", quiet=given["json"] == "-") as progress:
            found = search(
                request.strategy, loaded, space=space, trials=given["trials"], rank=given["rank"], seed=given["seed"],
                params=request.params, progress=progress, **request.options,
            )  # fmt: skip
        best = replace(request, params=found.best)
        manifest = {**found.result.manifest, "command": best.command()}
        result = replace(found.result, manifest=manifest, notes=(*loaded.notes, *found.result.notes))
        searched = {
            "trials": found.trials,
            "pruned": found.pruned,
            "seed": given["seed"],
            "rank": given["rank"],
            "space": space,
        }
        stored = None
        if given["store"] if given["store"] is not None else request.data.is_stored:
            from apps.backtest.store import save_as_run

            stored = save_as_run(result, best, kind="optimize", extra={"search": searched})
        document = {**output.document(result, run=stored), "search": searched}
        lines = [f"{output.INDENT}{what:<7} {path}" for what, path in write_files(result, document, given)]
        if given["csv_out"]:
            lines.append(f"{output.INDENT}trials  {_trials_to_csv(found.table, given['csv_out'])}")
        if given["json"] == "-":
            output.write_json(document, "-", self.say)
            return
        self.say(f"{found.trials} trials by {given['rank']}, seed {given['seed']}: {found.pruned} given up early")
        self.say("\n".join(_best_rows(found.table, list(space), given["rank"], given["top"])))
        self.say()
        self.say("\n".join(output.summary(result, request.options)))
        if stored:
            lines.insert(0, f"{output.INDENT}run     {stored}  (manage.py runs show {stored})")
        self.say("\n".join(["", f"{output.INDENT}again   {best.command()}", *lines]))


def _best_rows(table: dict[str, list[Any]], names: list[str], rank: str, top: int) -> list[str]:
    from apps.backtest.cli_names import lower_is_better

    sign = 1 if lower_is_better(rank) else -1
    done = sorted(
        (i for i, state in enumerate(table["state"]) if state == "complete"), key=lambda i: sign * table["score"][i]
    )
    columns = [
        *names,
        *dict.fromkeys(
            each for each in (rank, "return_pct", "sharpe", "max_drawdown_pct", "n_trades") if each in table
        ),
    ]
    return output.table(columns, [[table[name][i] for name in columns] for i in done[:top]])


def _trials_to_csv(table: dict[str, list[Any]], path: str) -> Any:
    import pandas as pd

    return output.written(path, pd.DataFrame(table).to_csv(index=False))
