"""Backtests, sweeps and walk-forwards by form: what is asked for, how far it is, and what came out."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.datastructures import MultiValueDict
from django.views.decorators.clickjacking import xframe_options_sameorigin

from apps.backtest import interface as backtest
from apps.console.access import acting, page
from apps.console.addresses import address_of
from apps.console.asking import ERRORS
from apps.console.charts import Heat, heat
from apps.console.recording import Actor, Facts, recorded
from apps.feeds import interface as feeds
from apps.signals import interface as signals
from banyan.commands import explained
from trading.intervals import format_interval

if TYPE_CHECKING:
    from apps.backtest.interface import JobStanding

KINDS = {"backtest": "Backtest", "sweep": "Sweep", "walkforward": "Walk-forward"}
_TITLES = {"backtest": "A backtest", "sweep": "A sweep", "walkforward": "A walk-forward"}
_FIRST = ("cash", "fee_bps", "slippage_bps", "spread", "sizing", "fill")
"""Options that are asked for first; the others are behind a word."""
_MORE = ("adjust", "benchmark", "conversions", "step", "anchored")
_ADJUSTS = {"all": "splits and dividends", "splits": "splits", "none": "nothing"}
_LISTED = 50
_LONG = 200
_ROWS = 10_000
_BEST = 20
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:; frame-ancestors 'self'"
)
"""What a report may do: run what it brings with it, in a frame that is of no origin, and load nothing."""


class Choice(NamedTuple):
    """An option in the form: what it means, what it is if nothing is typed, what it may be, and its value."""

    name: str
    doc: str
    default: str
    choices: tuple[str, ...]
    value: str

    @property
    def title(self) -> str:
        """Its name as people read it."""
        return self.name.replace("_", " ")

    @property
    def is_long(self) -> bool:
        """Whether what it means takes more than a few lines to say."""
        return len(self.doc) > _LONG


class Field(NamedTuple):
    """A parameter in the form: what it may be, its value, and for a sweep the values to try."""

    name: str
    doc: str
    bounds: str
    value: str
    tried: str


@page
def ask_for_job(request: HttpRequest) -> HttpResponse:
    """Show the form of a job: kind and strategy first, then data and parameters."""
    return _form(request, request.GET, "")


def _form(request: HttpRequest, given: MultiValueDict[str, str], problem: str) -> HttpResponse:
    kind, strategy = given.get("kind") or "backtest", given.get("strategy") or ""
    known = signals.list_strategies()
    chosen = signals.get_strategy(strategy) if strategy in known else None
    fields = [
        Field(each.name, each.doc, each.range_text(), *(given.get(f"{of}.{each.name}") or "" for of in ("p", "g")))
        for each in (chosen.parameters if chosen else ())
    ]
    options = [Choice(*each, given.get(f"o.{each.name}") or "") for each in backtest.option_fields()]
    instrument = (given.get("instruments") or "").split(",")[0].strip()
    context = {
        "title": _TITLES.get(kind, "A backtest"), "kind": kind, "kinds": KINDS, "known": known,
        "strategy": strategy if chosen else "",
        "doc": chosen.doc if chosen else "", "fields": fields, "given": given, "problem": problem,
        "instruments": [each.id for each in feeds.list_instruments()],
        "intervals": _intervals(instrument),
        "rank": given.get("rank") or "sharpe",
        "options": [each for each in options if each.name in _FIRST],
        "others": [each for each in options if each.name not in _FIRST],
        "is_more_given": any(each.value for each in options if each.name not in _FIRST)
        or any(given.get(name) for name in _MORE),
        "adjusts": _ADJUSTS,
    }  # fmt: skip
    return render(request, "console/job_form.html", context, status=422 if problem else 200)


def _intervals(instrument: str) -> list[str]:
    """Return the intervals that an instrument has bars of; none where it is not known."""
    try:
        return [format_interval(each.interval_ns) for each in feeds.intervals_of(instrument)] if instrument else []
    except LookupError:
        return []


@acting
def submit_job(request: HttpRequest) -> HttpResponse:
    """Queue a job, with a record of it, and show how far it is."""
    if request.method != "POST":
        return redirect("job-form")
    given = request.POST
    try:
        wanted = _wanted(given)
    except ERRORS:
        raise
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        return _form(request, given, told[0])
    actor = Actor(request.user.get_username(), address_of(request))
    made: list[JobStanding] = []

    def do() -> tuple[str, Facts]:
        made.append(backtest.submit_job(wanted, f"user {actor.name}", uuid.uuid4().hex))
        return f"Job {made[0].id} is queued.", {"job": made[0].id}

    became = recorded(actor, "job.submit", f"{wanted.kind} {wanted.strategy}", "", before=dict, do=do)
    return redirect("job", made[0].id) if made else _form(request, given, became.outcome.text)


def _wanted(given: Mapping[str, str]) -> "backtest.Wanted":
    typed = {name: str(value).strip() for name, value in given.items()}
    of = {
        prefix: {name[2:]: value for name, value in typed.items() if name.startswith(prefix) and value}
        for prefix in ("p.", "g.", "o.")
    }
    kind = typed.get("kind", "")
    if kind not in KINDS:
        raise backtest.JobError(f"there is no job {kind}: choose one of {', '.join(KINDS)}")
    train, test, step = (typed.get(name, "") if kind == "walkforward" else "" for name in ("train", "test", "step"))
    conversions = [each.partition("=") for each in typed.get("conversions", "").split(",") if each.strip()]
    if any(not instrument for _, _, instrument in conversions):
        raise backtest.JobError("conversions: write CURRENCY=INSTRUMENT, such as JPY=OANDA:JPYUSD, several with commas")
    adjust = typed.get("adjust") or "all"
    if adjust not in _ADJUSTS:
        raise backtest.JobError(f"adjust: choose one of {', '.join(_ADJUSTS)}")
    return backtest.Wanted(
        kind=kind,  # type: ignore[arg-type]  # it is one of KINDS
        strategy=typed.get("strategy", ""),
        instruments=[each.strip() for each in typed.get("instruments", "").split(",") if each.strip()],
        interval=typed.get("interval", ""), begins=typed.get("begins", ""), ends=typed.get("ends", ""),
        parameters=of["p."], grid=of["g."] if kind != "backtest" else {}, rank=typed.get("rank") or "sharpe",
        train=train, test=test, step=step, anchored=kind == "walkforward" and "anchored" in typed,
        options=backtest.options_typed(of["o."]), adjust=adjust,  # type: ignore[arg-type]  # it is one of _ADJUSTS
        benchmark=typed.get("benchmark", ""),
        conversions={currency.strip(): instrument.strip() for currency, _, instrument in conversions},
    )  # fmt: skip


@acting
def cancel_job(request: HttpRequest, job: str) -> HttpResponse:
    """Cancel a job, with a record of it."""
    if request.method == "POST":
        actor = Actor(request.user.get_username(), address_of(request))

        def do() -> tuple[str, Facts]:
            found = backtest.cancel_job(job)
            if found is None:
                raise backtest.JobError(f"there is no job {job}")
            told = f"Job {job} is cancelled." if found.has_ended else f"Job {job} stops in a moment."
            return told, {"state": found.state}

        became = recorded(actor, "job.cancel", job, "", before=dict, do=do)
        (messages.success if became.error is None else messages.error)(request, became.outcome.text)
    return redirect("job", job)


@page
def show_jobs(request: HttpRequest) -> HttpResponse:
    """Show jobs, newest first."""
    before = request.GET.get("before", "")
    place = int(before) if before.isdecimal() and len(before) < 19 else None
    found = backtest.jobs(_LISTED + 1, before=place)
    context = {
        "title": "Jobs", "jobs": found[:_LISTED], "is_newest": place is None,
        "next": found[_LISTED - 1].place if len(found) > _LISTED else None,
    }  # fmt: skip
    part = "console/jobs_live.html" if request.headers.get("HX-Request") else "console/jobs.html"
    return render(request, part, context)


@page
def show_job(request: HttpRequest, job: str) -> HttpResponse:
    """Show a job: what was asked, how far it is, what came out."""
    found = backtest.job(job)
    if found is None:
        raise Http404(f"there is no job {job}")
    result = backtest.job_result(job, _ROWS) if found.state == "done" else None
    context: dict[str, Any] = {
        "title": f"{KINDS.get(found.kind, found.kind)} of {found.strategy}", "job": found, "result": result,
        "share": round(100 * found.done / found.total) if found.total else 0, "asked": _asked(found),
        "anew": f"{reverse('job-form')}?{urlencode(_anew(found))}",
    }  # fmt: skip
    if result is not None and "rows" in result:
        context |= _swept(request, found, result)
    part = "console/job_live.html" if request.headers.get("HX-Request") else "console/job.html"
    return render(request, part, context)


@xframe_options_sameorigin
@page
def show_report(request: HttpRequest, job: str) -> HttpResponse:  # noqa: ARG001  (a view's form)
    """Answer with the report of a job, which may do nothing but show itself."""
    report = backtest.job_report(job)
    if report is None:
        raise Http404(f"job {job} has no report")
    return HttpResponse(report, headers={"Content-Security-Policy": _REPORT_POLICY})


def _asked(job: "JobStanding") -> list[tuple[str, Any]]:
    """Return what was asked for, as names and values."""
    request = job.asked["request"]
    data = request["data"]
    told = [("instruments", ", ".join(data["instruments"])), ("interval", data["interval"])]
    told += [(name, data[key]) for name, key in (("from", "start"), ("to", "end")) if data.get(key)]
    told += [(name, data[name]) for name in ("adjust", "benchmark") if data.get(name) not in (None, "", "all")]
    told += [(f"one {name} is", of) for name, of in (data.get("conversion") or {}).items()]
    told += [(name.replace("_", " "), value) for name, value in request.get("options", {}).items()]
    told += list(request.get("params", {}).items())
    told += [(name, ", ".join(map(str, values))) for name, values in job.asked.get("grid", {}).items()]
    told += [(name, job.asked[name]) for name in ("rank", "train", "test", "step") if job.asked.get(name)]
    return told + ([("trained on", "all that is before")] if job.asked.get("anchored") else [])


def _anew(job: "JobStanding") -> dict[str, str]:
    """Return what fills the form as this job was asked for."""
    request = job.asked["request"]
    data = request["data"]
    asked = {
        "kind": job.kind, "strategy": job.strategy, "instruments": ",".join(data["instruments"]),
        "interval": data["interval"], "begins": data.get("start") or "", "ends": data.get("end") or "",
        "rank": job.asked.get("rank") or "",
    } | {name: job.asked.get(name) or "" for name in ("train", "test", "step")}  # fmt: skip
    conversions = ",".join(f"{name}={of}" for name, of in (data.get("conversion") or {}).items())
    asked |= {"benchmark": data.get("benchmark") or "", "conversions": conversions}
    asked |= {"adjust": data.get("adjust") or "", "anchored": "yes" if job.asked.get("anchored") else ""}
    asked |= {f"o.{name}": str(value) for name, value in request.get("options", {}).items()}
    asked |= {f"p.{name}": str(value) for name, value in request.get("params", {}).items()}
    asked |= {f"g.{name}": ",".join(map(str, values)) for name, values in job.asked.get("grid", {}).items()}
    return {name: value for name, value in asked.items() if value}


def _swept(request: HttpRequest, job: "JobStanding", result: dict[str, Any]) -> dict[str, Any]:
    """Return a sweep's best rows, and its map: the best score for each pair of values of two parameters."""
    columns, parameters = result["columns"], result["parameters"]
    x = request.GET.get("x", "") if request.GET.get("x") in parameters else parameters[0]
    others = [each for each in parameters if each != x]
    y = request.GET.get("y", "") if request.GET.get("y") in others else others[0] if others else ""
    at = {name: columns.index(name) for name in {x, y, result["rank"]} - {""}}
    scores = [
        (row[at[x]], row[at[y]] if y else "", row[at[result["rank"]]]) for row in result["rows"]
    ]  # fmt: skip
    picture: Heat | None = heat(scores, higher_is_better=result["higher_is_better"])
    data = job.asked["request"]["data"]
    channels = ",".join(f"{each}@{data['interval']}" for each in data["instruments"])
    kept = job.asked["request"].get("params", {})
    best = []
    for row in result["rows"][:_BEST]:
        values = kept | {name: row[columns.index(name)] for name in parameters}
        trade = {"strategy": job.strategy, "channels": channels} | {f"p.{name}": each for name, each in values.items()}
        best.append((row, f"{reverse('set-edit')}?{urlencode(trade)}"))
    return {"heat": picture, "x": x, "y": y, "parameters": parameters, "best": best, "columns": columns}
