"""What accounts may do: trading states, limits at each level, stops by losses, and what was refused."""

import time
from typing import NamedTuple
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.console.access import page
from apps.console.asking import ERRORS, Asking
from apps.console.charts import Beats, beats
from apps.execution.interface import ids_of, kill_switch
from apps.reporting import interface as reporting
from apps.reporting.interface import RefusalCount
from apps.risk import interface as risk
from apps.signals.interface import set_standings
from banyan.commands import explained

_LISTED_MAX = 100
_STOPPED_MAX = 50


class Level(NamedTuple):
    """The limits of a level, in words: of an account ("": any) in an instrument ("": any)."""

    account: str
    instrument: str
    limits: dict[str, str]


class Row(NamedTuple):
    """A limit of a level: its name, what a value looks like, and what is set or was typed ("": nothing)."""

    name: str
    looks: str
    value: str


class Counted(NamedTuple):
    """Refusals for a reason, and a picture of them by hour."""

    of: RefusalCount
    beats: Beats


@page
def show_risk(request: HttpRequest) -> HttpResponse:
    """Show what may be traded, and what was kept back."""
    asking = Asking()
    restrictions = asking.of("reporting", reporting.restrictions)
    refusals = asking.of("reporting", lambda: reporting.refusals_by_code(time.time_ns()))
    highest = max((max(each.hours) for each in refusals or []), default=0)
    levels = _levels(asking)
    wanted = request.GET.get("find", "").strip()
    shown = [each for each in levels or [] if wanted.lower() in f"{each.account} {each.instrument}".lower()]
    context = {
        "title": "Risk",
        "is_known": restrictions is not None,
        "of_all": next((each for each in restrictions or [] if each.level == "global"), None),
        "others": [each for each in restrictions or [] if each.level != "global" and not each.is_stop],
        "thrown": kill_switch().reason(),
        "stopped": asking.of("reporting", lambda: reporting.stopped_by_losses(_STOPPED_MAX + 1)),
        "stopped_max": _STOPPED_MAX,
        "levels": None if levels is None else [(each, _change(each)) for each in shown[:_LISTED_MAX]],
        "levels_more": max(0, len(shown) - _LISTED_MAX),
        "find": wanted,
        "refusals": None if refusals is None else [Counted(each, beats(each.hours, highest)) for each in refusals],
        "sets": [each.name for each in asking.of("signals", set_standings) or []],
        "instruments": asking.of("reporting", reporting.instruments_traded) or [],
        "away": asking.away,
    }
    part = "console/risk_live.html" if request.headers.get("HX-Request") else "console/risk.html"
    return render(request, part, context)


@page
def change_limits(request: HttpRequest) -> HttpResponse:
    """Show the limits of a level in a form; with values typed, go on to where the change is previewed."""
    account, instrument = (request.GET.get(name, "").strip() for name in ("account", "instrument"))
    names = risk.limits_known(of_instrument=bool(instrument))
    typed = {name: request.GET[name].strip() for name in names if name in request.GET}
    problem, words = "", {}
    try:
        before = risk.limits_asked_for(account, instrument)
        words = risk.limits_words(before, instrument)
        changes = [f"{name}={value or 'none'}" for name, value in typed.items() if value != words.get(name, "")]
        if changes:
            risk.limits_changed(before, changes, instrument)
            return redirect(_previewing(account, instrument, changes))
    except ERRORS:
        raise
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        problem = told[0]
    shown = words | typed
    context = {
        "title": "Limits",
        "account": account,
        "instrument": instrument,
        "rows": [Row(name, looks, shown.get(name, "")) for name, looks in names.items()],
        "problem": problem,
        "is_known": bool(words) or not problem or bool(typed),
        "is_same": bool(typed) and not problem,
    }  # fmt: skip
    return render(request, "console/limits.html", context, status=422 if problem else 200)


def _previewing(account: str, instrument: str, changes: list[str]) -> str:
    given = {"account": account, "instrument": instrument, "limits": " ".join(changes), "next": reverse("risk")}
    return f"{reverse('act', args=['risk.limits'])}?{urlencode(given)}"


def _levels(asking: Asking) -> list[Level] | None:
    found = asking.of("risk", risk.limits_by_level)
    if found is None:
        return None
    ids = asking.of("execution", lambda: ids_of(each.account for each in found if each.account >= 0)) or {}
    named = ("" if each.account < 0 else ids.get(each.account, str(each.account)) for each in found)
    return [
        Level(name, each.instrument, {limit: risk.limit_told(limit, value) for limit, value in each.limits.items()})
        for name, each in zip(named, found, strict=True)
    ]


def _change(level: Level) -> str:
    return f"{reverse('limits')}?{urlencode({'account': level.account, 'instrument': level.instrument})}"
