"""`manage.py compare`."""

import argparse
from typing import Any

from apps.backtest import cli_output as output
from apps.backtest.cli_names import METRICS_SHOWN, label, number
from banyan import commands


class Command(commands.Command):
    """Shows stored runs side by side."""

    help = """Show stored runs side by side: their metrics, and in what they differ.

What is the same in all runs is not shown: a difference in parameters, options, code, data or environment is. RUN is the
first letters of a run's id (`manage.py runs`), or last."""
    examples = """
  manage.py compare k7 m3
  manage.py compare k7 m3 last --all --html compare.html"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("runs", metavar="RUN", nargs="+", help="two runs or more")
        parser.add_argument("--all", action="store_true", help="every metric, not only the main ones")
        parser.add_argument(
            "--json", default="", metavar="FILE", help="metrics and differences; - prints them and nothing else"
        )
        parser.add_argument(
            "--html", default="", metavar="FILE", help="a page with the equity curves one over the other"
        )

    def run(self, **given: Any) -> None:
        """Compare, write what was asked for, and print both tables."""
        from apps.backtest import store
        from apps.backtest.compare import compare
        from apps.backtest.compare_page import write_page

        runs = [store.find(letters) for letters in given["runs"]]
        if len({run.short_id for run in runs}) < 2:
            raise commands.UsageError("name two different runs or more: `manage.py runs` lists them")
        found = compare(runs)
        written = []
        if given["json"]:
            document = {"runs": found.runs, "metrics": found.metrics, "differences": found.differences}
            written.append(("json", output.write_json(document, given["json"], self.say)))
        if given["html"]:
            written.append(("report", write_page(found, runs, given["html"])))
        if given["json"] == "-":
            return
        shown = [name for name in (found.metrics if given["all"] else METRICS_SHOWN) if name in found.metrics]
        rows = [[label(name), *(number(name, each) for each in found.metrics[name])] for name in shown]
        self.say("\n".join(output.table(["metric", *found.runs], rows, left=1)))
        self.say()
        if found.differences:
            rows = [
                [name, *("-" if each is None else str(each) for each in values)]
                for name, values in found.differences.items()
            ]
            self.say("\n".join(output.table(["differs in", *found.runs], rows, left=1)))
        else:
            self.say(f"{output.INDENT}the runs differ in nothing that decides what comes out")
        for what, path in written:
            self.say(f"{output.INDENT}{what:<7} {path}")
