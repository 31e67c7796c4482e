"""`manage.py runs`."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.backtest import cli_output as output
from apps.backtest.cli_names import known_metric
from banyan import commands


class Command(commands.Command):
    """Lists, shows, reproduces and deletes stored runs."""

    help = """List stored runs, show one, do it again, or delete it.

A run is stored with its strategy's source, the hashes of code and data, parameters, options, engine version and
environment, so that it can be done again: `reproduce` says whether equity, fills and trades are the same to the last
bit, and if not, what in code, data or environment is different. RUN is the first letters of a run's id, or last."""
    examples = """
  manage.py runs                                    the newest runs
  manage.py runs list --strategy ema_cross --sort sharpe
  manage.py runs show k7 --html report.html
  manage.py runs reproduce k7 --verify              exit code 1 unless it is the same bit for bit
  manage.py runs delete k7 m3"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what can be typed."""
        kinds = parser.add_subparsers(dest="action", metavar="list | show | reproduce | delete")
        listing = kinds.add_parser("list", help="the stored runs, newest first", formatter_class=commands.Help)
        listing.add_argument("--strategy", default="", metavar="NAME", help="only runs of this strategy")
        listing.add_argument("--instrument", default="", metavar="ID", help="only runs on this instrument")
        listing.add_argument("--since", default="", metavar="TIME", help="only runs stored since, UTC: 2015-03-01")
        listing.add_argument("--sort", default="", metavar="METRIC", help="the highest of this metric first")
        listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (20)")
        show = kinds.add_parser("show", help="all that is stored of a run", formatter_class=commands.Help)
        again = kinds.add_parser("reproduce", help="do a run again and compare", formatter_class=commands.Help)
        again.add_argument(
            "--verify",
            action="store_true",
            help="exit with 1 unless equity, fills and trades are the same to the last bit",
        )
        again.add_argument(
            "--stored-code", action="store_true", help="use the strategy's source as stored with the run"
        )
        again.add_argument("--diff", action="store_true", help="show how the strategy's source has changed")
        for each in (show, again):
            each.add_argument("run", metavar="RUN", help="the first letters of a run's id, or last")
        show.add_argument("--html", default="", metavar="FILE", help="its report; prices are read again")
        show.add_argument(
            "--source", action="store_true", help="print the strategy's source as it was run, and nothing else"
        )
        delete = kinds.add_parser("delete", help="delete runs", formatter_class=commands.Help)
        delete.add_argument("runs", nargs="+", metavar="RUN", help="ids, or their first letters")
        for each in (listing, show, again, delete):
            each.add_argument(
                "--json", default="", metavar="FILE", help="the same as JSON; - prints it and nothing else"
            )

    def run(self, **given: Any) -> None:
        """Do what was asked for; a bare `runs` lists."""
        action = given.get("action") or "list"
        defaults = {"strategy": "", "instrument": "", "since": "", "sort": "", "limit": 20, "json": ""}
        {"list": self._list, "show": self._show, "reproduce": self._reproduce, "delete": self._delete}[action](
            {**defaults, **given}
        )

    def _tell(self, document: dict[str, Any], lines: list[str], given: dict[str, Any]) -> None:
        if given["json"]:
            output.write_json(document, given["json"], self.say)
        if given["json"] != "-":
            self.say("\n".join(lines))

    def _list(self, given: dict[str, Any]) -> None:
        from apps.backtest.models import Run

        if given["sort"]:
            known_metric(given["sort"])
        found = Run.objects.all().defer("source", "manifest")
        if given["strategy"]:
            found = found.filter(strategy=given["strategy"])
        if given["instrument"]:
            found = found.filter(instruments__contains=[given["instrument"]])
        if given["since"]:
            found = found.filter(created__gte=_moment(given["since"]))
        kept = list(found) if given["sort"] else list(found[: given["limit"]])
        if given["sort"]:
            kept = [run for run in kept if run.metrics.get(given["sort"]) is not None]
            kept = sorted(kept, key=lambda run: run.metrics[given["sort"]], reverse=True)[: given["limit"]]
        shown = dict.fromkeys(
            ["return_pct", "sharpe", "max_drawdown_pct", "n_trades", *([given["sort"]] if given["sort"] else [])]
        )
        rows = [[*_facts(run).values(), *(run.metrics.get(name) for name in shown)] for run in kept]
        lines = ["no run is stored: `manage.py backtest` stores each run on imported bars"]
        if kept:
            lines = output.table([*_facts(kept[0]), *shown], rows)
        self._tell(
            {
                "runs": [
                    {**_facts(run), "params": run.params_in_order(), "metrics": run.metrics_in_order()} for run in kept
                ]
            },
            lines,
            given,
        )

    def _show(self, given: dict[str, Any]) -> None:
        from apps.backtest import store

        run = store.find(given["run"])
        if given["source"]:
            self.say(run.source.rstrip("\n"))
            return
        lines = [
            f"{run.kind} {run.short_id}  {run.created:%Y-%m-%d %H:%M} UTC",
            *output.heading(store.result(run), run.options_in_order(), store.opens(run)),
            "",
            *output.metric_lines(run.metrics),
            *(f"{output.INDENT}note: {note}" for note in run.notes),
            "",
            f"{output.INDENT}code    {run.code_hash}",
            f"{output.INDENT}data    {run.data_hash}",
            f"{output.INDENT}engine  {run.engine_version}",
        ]
        if run.manifest.get("command"):
            lines.append(f"{output.INDENT}again   {run.manifest['command']}")
        if given["html"]:
            lines.append(f"{output.INDENT}report  {store.result(run, bars=True).report(Path(given['html']))}")
        document = {
            **_facts(run), "params": run.params_in_order(), "options": run.options_in_order(),
            "metrics": run.metrics_in_order(), "manifest": run.manifest,
            "digests": run.digests, "notes": run.notes, "request": run.request,
        }  # fmt: skip
        self._tell(document, lines, given)

    def _reproduce(self, given: dict[str, Any]) -> None:
        from apps.backtest import store
        from apps.backtest.reproduce import reproduce

        run = store.find(given["run"])
        again = reproduce(run, stored_code=given["stored_code"])
        lines = [f"run {run.short_id} again: " + ("the same, bit for bit" if again.is_exact else "NOT the same")]
        lines += [f"{output.INDENT}{name:<7} {told or 'same'}" for name, told in again.outcome.items()]
        lines += ["what is different:" if again.causes else "code, data and environment are as they were"]
        lines += [f"{output.INDENT}{cause}" for cause in again.causes]
        if given["diff"] and again.source_diff:
            lines.append(again.source_diff)
        document = {
            "run": run.short_id, "exact": again.is_exact, "outcome": again.outcome, "causes": again.causes,
            "source_diff": again.source_diff,
        }  # fmt: skip
        self._tell(document, lines, given)
        if given["verify"] and not again.is_exact:
            raise CommandError(f"run {run.short_id} was not reproduced", returncode=1)

    def _delete(self, given: dict[str, Any]) -> None:
        from apps.backtest import store

        runs = {run.short_id: run for run in (store.find(letters) for letters in given["runs"])}
        for run in runs.values():
            run.delete()
        self._tell({"deleted": list(runs)}, [f"deleted {', '.join(runs)}"], given)


def _facts(run: Any) -> dict[str, str]:
    return {
        "run": run.short_id, "stored": f"{run.created:%Y-%m-%d %H:%M}", "kind": run.kind, "strategy": run.strategy,
        "on": " ".join(run.instruments[:3]) + " ..." * (len(run.instruments) > 3), "interval": run.interval,
    }  # fmt: skip


def _moment(text: str) -> Any:
    from datetime import UTC, datetime

    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise commands.UsageError(f"--since {text}: write a day as 2015-03-01") from None
