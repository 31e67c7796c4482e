"""Research: runs that were stored, one by one and side by side, and the way from one to a strategy set."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from apps.backtest import interface as backtest
from apps.console.access import page
from banyan.cursors import decoded, encoded

if TYPE_CHECKING:
    from apps.backtest.interface import StoredRun

_A_PAGE = 50
_COMPARED_MAX = 6
_POINTS = 1_500


class Difference(NamedTuple):
    """What runs have under one name, and whether all have the same."""

    name: str
    values: list[Any]
    is_same: bool


@page
def show_research(request: HttpRequest) -> HttpResponse:
    """Show stored runs, newest first."""
    strategy = request.GET.get("strategy", "").strip()
    found = backtest.stored_runs(strategy, _A_PAGE + 1, _place(request.GET.get("before", "")))
    last = found[_A_PAGE - 1] if len(found) > _A_PAGE else None
    more = encoded([last.place[0].isoformat(), last.place[1]]) if last else ""
    query = urlencode({"strategy": strategy, "before": more})
    context = {"title": "Research", "runs": found[:_A_PAGE], "next": query if more else "", "strategy": strategy}
    return render(request, "console/research.html", context)


@page
def show_run(request: HttpRequest, run: str) -> HttpResponse:
    """Show a run: what was asked, what came out, its equity, and the way to trade it."""
    of = _run(run)
    channels = ",".join(f"{each}@{of.interval}" for each in of.instruments)
    asked = {"strategy": of.strategy, "channels": channels} | {
        f"p.{name}": each for name, each in of.parameters.items()
    }
    context = {
        "title": f"{of.strategy} {of.id}",
        "run": of,
        "metrics": _told(of.metrics),
        "trade": f"{reverse('set-edit')}?{urlencode(asked)}" if of.interval and of.kind == "backtest" else "",
    }
    return render(request, "console/run.html", context)


@page
def curve(request: HttpRequest, run: str) -> HttpResponse:  # noqa: ARG001  (a view's form)
    """Answer with a run's equity as JSON: [seconds since 1970, equity] by point."""
    points = backtest.run_curve(_run(run).id, _POINTS)
    by_second = {at_ns // 10**9: round(equity, 2) for at_ns, equity in points}
    return HttpResponse(msgspec.json.encode(list(by_second.items())), content_type="application/json")


@page
def compare_runs(request: HttpRequest) -> HttpResponse:
    """Show runs side by side."""
    wanted = list(dict.fromkeys(request.GET.getlist("run")))
    problem, runs = "", []
    if len(wanted) < 2 or len(wanted) > _COMPARED_MAX:
        problem = f"Choose from two to {_COMPARED_MAX} runs; there are {len(wanted)}."
    else:
        runs = [_run(each) for each in wanted]
    context = {
        "title": "Runs compared",
        "runs": runs,
        "problem": problem,
        "facts": _differences([_facts(each) for each in runs]),
        "metrics": _differences([_titled(each.metrics) for each in runs]),
    }
    return render(request, "console/compare.html", context, status=422 if problem else 200)


def _told(metrics: dict[str, Any]) -> list[tuple[str, Any, str]]:
    """Return metrics with their titles and units, those that nobody has defined by their names."""
    from trading.metrics.definitions import DEFINITIONS  # slow to import, and not needed by all

    told = []
    for name, value in metrics.items():
        of = DEFINITIONS.get(name)
        told.append((of.label, value, of.unit) if of else (name.replace("_", " "), value, ""))
    return told


def _titled(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return metrics by their titles, with their units."""
    return {f"{title}, {unit}" if unit else title: value for title, value, unit in _told(metrics)}


def _facts(run: "StoredRun") -> dict[str, Any]:
    told = {
        "strategy": run.strategy, "instruments": " ".join(run.instruments), "interval": run.interval,
        "from": f"{run.first_bar:%Y-%m-%d}", "to": f"{run.last_bar:%Y-%m-%d}", "code": run.code_hash[:8],
        "data": run.data_hash[:8],
    }  # fmt: skip
    return told | run.parameters | run.options


def _differences(found: list[dict[str, Any]]) -> list[Difference]:
    names = dict.fromkeys(name for each in found for name in each)
    rows = [(name, [each.get(name, "") for each in found]) for name in names]
    return [Difference(name, values, all(each == values[0] for each in values)) for name, values in rows]


def _run(short_id: str) -> "StoredRun":
    found = backtest.stored_run(short_id)
    if found is None:
        raise Http404(f"there is no run {short_id}")
    return found


def _place(cursor: str) -> tuple[datetime, int] | None:
    found: Any = decoded(cursor, 2) if cursor else None
    if found is None or [type(each) for each in found] != [str, int]:
        return None
    try:
        return datetime.fromisoformat(found[0]).astimezone(UTC), found[1]
    except ValueError:
        return None
