"""`manage.py walkforward`."""

import argparse
from pathlib import Path
from typing import Any

from apps.backtest import cli_arguments as arguments
from apps.backtest import cli_output as output
from apps.backtest.cli_grid import parse_grid, parse_span
from apps.backtest.cli_names import number
from apps.backtest.management.commands.backtest import add_output_arguments, write_files
from apps.backtest.management.commands.sweep import add_grid_arguments
from apps.backtest.request import iso
from banyan import commands


class Command(commands.Command):
    """Chooses parameters on one span of time and trades them on the next, over and over."""

    help = """Choose parameters on one span of time, trade them on the next, move on, and stitch what was traded.

Each window sweeps the grid on its training span and trades the best by --rank on the test span after it, which it has
not seen. A test span begins flat with the equity of the last one's end; the bars before it that the strategy needs to
warm up are read and not traded; what is held at its end is valued at its last close and bought anew, with costs, if the
next window wants it. Spans are calendar time: 2y, 6mo, 3w, 10d. The grid is that of `sweep`."""
    usage = "STRATEGY (--instrument ID ... --interval SPAN | --csv FILE ...) --train SPAN --test SPAN [options]"
    examples = """
  manage.py walkforward ema_cross --instrument OANDA:EURUSD --interval 1h --train 2y --test 6mo --html forward.html
  manage.py walkforward sma_cross --csv spy.csv.gz --grid fast=5:50:5 --grid slow=50:250:25 --train 5y --test 1y"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        arguments.add_strategy_arguments(parser)
        parser.add_argument("--train", required=True, metavar="SPAN", help="length of the training span: 2y, 6mo, ...")
        parser.add_argument("--test", required=True, metavar="SPAN", help="length of the test span")
        parser.add_argument(
            "--step", default="", metavar="SPAN", help="from one window to the next (as long as the test span)"
        )
        parser.add_argument("--anchored", action="store_true", help="every training span begins on the first day")
        add_grid_arguments(parser)
        arguments.add_data_arguments(parser)
        arguments.add_option_arguments(parser)
        add_output_arguments(parser)

    def run(self, **given: Any) -> None:
        """Walk, write what was asked for, and print the windows and the stitched run."""
        from apps.backtest.walkforward import walk_as_asked
        from apps.signals.interface import get_strategy

        request = arguments.request_of(given)
        strategy = get_strategy(request.strategy)
        grid = parse_grid(strategy, given["grid"])
        asked = {name: given[name] for name in ("train", "test", "step", "anchored", "rank")} | {"grid": grid}
        for name in ("train", "test", "step"):
            if given[name]:
                parse_span(given[name])
        loaded = request.data.load()
        with output.Progress("windows", quiet=given["json"] == "-") as progress:
            walk = walk_as_asked(request, loaded, asked, workers=given["workers"], progress=progress)
        result = walk.result
        stored = None
        if given["store"] if given["store"] is not None else request.data.is_stored:
            from apps.backtest.store import save_as_run

            stored = save_as_run(result, request, kind="walkforward", extra={"walkforward": asked})
        windows = [_window(each) for each in walk.windows]
        document = {**output.document(result, run=stored), "walkforward": asked, "windows": windows}
        html, given["html"] = given["html"], ""
        lines = [f"{output.INDENT}{what:<7} {path}" for what, path in write_files(result, document, given)]
        if html:
            from apps.backtest.report.html import write_walkforward_report

            lines.append(f"{output.INDENT}report  {write_walkforward_report(walk.outcome(), Path(html))}")
        if given["json"] == "-":
            output.write_json(document, "-", self.say)
            return
        self.say(f"{len(windows)} windows: {given['train']} of training, {given['test']} of test, by {given['rank']}")
        rank = given["rank"]
        shown = ("return_pct", "max_drawdown_pct", "n_trades")
        columns = ["test from", "to", *grid, f"{rank} in training", "in test", *shown]
        rows = [
            [*each["test"], *(str((each["params"] or {}).get(name, "-")) for name in grid),
             number(rank, each["train_score"]), number(rank, each["test_score"]),
             *(each["metrics"].get(name) for name in shown)]
            for each in windows
        ]  # fmt: skip
        self.say("\n".join(output.table(columns, rows, left=2)))
        self.say("\nout of sample, stitched")
        self.say("\n".join(output.summary(result, request.options)))
        if stored:
            lines.insert(0, f"{output.INDENT}run     {stored}  (manage.py runs show {stored})")
        if lines:
            self.say("\n".join(["", *lines]))


def _window(each: Any) -> dict[str, Any]:
    return {
        "train": [iso(time) for time in each.window.train], "test": [iso(time) for time in each.window.test],
        "params": each.params, "train_score": each.train_score, "test_score": each.test_score, "metrics": each.metrics,
    }  # fmt: skip
