"""`manage.py montecarlo`."""

import argparse
from pathlib import Path
from typing import Any

from apps.backtest import cli_output as output
from banyan import commands


class Command(commands.Command):
    """Draws a stored run's trades or returns again, many times."""

    help = """Draw the trades or the returns of a stored run again, many times, and say how else it could have gone.

--method blocks draws daily returns in blocks of random length, which keeps calm and wild times together; trades draws
closed trades one by one, as if their order were chance. Each draws as many as the run had, with replacement. The same
--seed gives the same numbers on every machine. RUN is the first letters of a run's id (`manage.py runs`), or last."""
    examples = """
  manage.py montecarlo last
  manage.py montecarlo k7 --method trades --paths 5000 --seed 7 --drawdown-pct 15 25 --html paths.html"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        parser.add_argument("run", metavar="RUN", help="the first letters of a run's id, or last")
        parser.add_argument(
            "--method",
            choices=("blocks", "trades", "both"),
            default="both",
            help="what is drawn: returns in blocks, trades, or both in turn (both)",
        )
        parser.add_argument("--paths", type=int, default=1000, metavar="N", help="courses drawn (1000)")
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the draws (0)")
        parser.add_argument(
            "--block", type=float, default=0.0, metavar="DAYS", help="mean length of a block (cube root of the days)"
        )
        parser.add_argument(
            "--drawdown-pct", type=float, nargs="+", default=[10.0, 20.0, 30.0, 50.0], metavar="X",
            help="say how probable a drawdown deeper than X percent is (10 20 30 50)",
        )  # fmt: skip
        parser.add_argument(
            "--ruin-pct", type=float, default=50.0, metavar="X", help="ruin is to end X percent under the start (50)"
        )
        parser.add_argument(
            "--json", default="", metavar="FILE", help="quantiles and probabilities; - prints them and nothing else"
        )
        parser.add_argument(
            "--html", default="", metavar="FILE", help="the report, with bands of paths (of the first method)"
        )

    def run(self, **given: Any) -> None:
        """Draw, write what was asked for, and print quantiles and probabilities."""
        from apps.backtest import store
        from apps.backtest.montecarlo import TOLD, MonteCarloError, simulate

        run = store.find(given["run"])
        result = store.result(run)
        courses, notes = [], []
        for method in ("blocks", "trades") if given["method"] == "both" else (given["method"],):
            try:
                courses.append(
                    simulate(result, method, paths=given["paths"], seed=given["seed"], mean_block=given["block"])
                )
            except MonteCarloError as error:
                if given["method"] != "both":
                    raise
                notes.append(str(error))
        if not courses:
            raise MonteCarloError("; ".join(notes))
        levels = tuple(given["drawdown_pct"])
        document = {
            "run": run.short_id, "paths": given["paths"], "seed": given["seed"], "notes": notes,
            "methods": {
                each.method: {
                    "drawn_from": each.returns.size, "quantiles": each.quantiles(),
                    "probabilities": each.probabilities(levels, given["ruin_pct"]),
                }
                for each in courses
            },
        }  # fmt: skip
        written: list[tuple[str, Path | None]] = []
        if given["json"]:
            written.append(("json", output.write_json(document, given["json"], self.say)))
        if given["html"]:
            from apps.backtest.report.html import write_montecarlo_report

            written.append(
                ("report", write_montecarlo_report(courses[0].outcome(run.strategy, run.manifest), Path(given["html"])))
            )
        if given["json"] == "-":
            return
        self.say(f"run {run}  {given['paths']:,} paths, seed {given['seed']}")
        for course in courses:
            self.say(f"\n{TOLD[course.method]}, {course.returns.size:,} a path")
            rows = course.quantiles()
            names = list(next(iter(rows.values())))
            self.say(
                "\n".join(
                    output.table(["quantile", *names], [[quantile, *row.values()] for quantile, row in rows.items()])
                )
            )
            for name, share in course.probabilities(levels, given["ruin_pct"]).items():
                self.say(f"{output.INDENT}probability of {_told(name):<30}{share * 100:>7.2f} %")
        for note in notes:
            self.say(f"{output.INDENT}note: {note}")
        for what, path in written:
            self.say(f"{output.INDENT}{what:<7} {path}")


def _told(name: str) -> str:
    return name.replace("_pct", " %").replace("_", " ")
