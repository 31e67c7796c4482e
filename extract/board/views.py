"""The pages of the board."""

from functools import partial

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.module_loading import import_string

from apps.console.interface import OPERATE, Asking, page
from banyan.facade import Stage, StageError
from banyan.facade.models import Mismatch, Rule
from banyan.facade.routing import ALIAS, changes
from extract.board.acts import found_for, stage_of
from extract.board.standing import STAGES, all_keys, standing_of
from extract.comparator.comparator import SOURCE
from extract.comparator.shapes import SHAPES
from extract.fixtures import FixtureError, file_of, freeze, mismatch_of
from extract.noise import measure_and_keep
from extract.readiness import beyond, counts, scanned

_MISMATCHES = 50
_CHANGES = 20
_NOISE_RECORDS = 20
_LISTED = 200


@page
def show_board(request: HttpRequest) -> HttpResponse:
    """Show each context's stage."""
    asking = Asking()
    told = [asking.of(each, partial(standing_of, each)) for each in SHAPES]
    context = {
        "title": "Extraction",
        "stages": STAGES,
        "rows": [each for each in told if each is not None],
        "away": asking.away,
        "others": [each for each in import_string(settings.HOSTED_CONTEXTS) if each not in SHAPES],
    }
    part = "extract/board_live.html" if request.headers.get("HX-Request") else "extract/board.html"
    return render(request, part, context)


@page
def show_context(request: HttpRequest, name: str) -> HttpResponse:
    """Show a context: its keys, how its sides differ, who changed its stage."""
    found = Mismatch.objects.using(ALIAS).filter(context=_carved(name))
    context = {
        "title": name,
        "of": standing_of(name),
        "stages": STAGES,
        "mismatches": found[:_MISMATCHES],
        "source": SOURCE,
        "rules": Rule.objects.using(ALIAS).filter(context=name).order_by("name"),
        "changes": changes(name, _CHANGES),
    }
    part = "extract/context_live.html" if request.headers.get("HX-Request") else "extract/context.html"
    return render(request, part, context)


def take_fixture(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Answer with a mismatch as a regression test: the state, the input, and what the leader gave of it."""
    hosted = import_string(settings.HOSTED_CONTEXTS)[_carved(name)]
    try:
        mismatch = mismatch_of(number)
        if mismatch.context != name:
            raise Http404(f"mismatch {number} is not of {name}")
        file, text = file_of(freeze(hosted, mismatch))
    except FixtureError as error:
        context = {"title": "It cannot be made into a fixture", "text": str(error)}
        return render(request, "console/error.html", context, status=404)
    named = {"Content-Disposition": f'attachment; filename="{file}"'}
    return HttpResponse(text, content_type="application/json", headers=named)


take_fixture = page(take_fixture, OPERATE)


@page
def show_plan(request: HttpRequest, name: str) -> HttpResponse:
    """Show what has to be so before a context goes on to a stage, each ticked or not."""
    of = standing_of(_carved(name))
    problem, found = "", []
    stage = of.next or Stage.EXTRACTED
    try:
        if "stage" in request.GET:
            stage = stage_of({"stage": request.GET["stage"]})
        found = found_for(name, stage)
    except StageError as error:
        problem = str(error)
    context = {
        "title": f"{name} to {stage}", "of": of, "stage": stage, "stages": STAGES[1:], "found": found,
        "problem": problem, "is_ready": not problem and all(each.is_so for each in found),
    }  # fmt: skip
    return render(request, "extract/plan.html", context, status=422 if problem else 200)


@page
def show_noise(request: HttpRequest, name: str) -> HttpResponse:
    """Decide the app's own log again, and show how much differs when nothing has been changed."""
    hosted = import_string(settings.HOSTED_CONTEXTS)[_carved(name)]
    noise = measure_and_keep(hosted, all_keys(name), _NOISE_RECORDS)
    context = {
        "title": f"Noise floor of {name}", "name": name, "records": noise.records,
        "differing": noise.differing[:_LISTED], "count": len(noise.differing), "percent": 100.0 * noise.rate,
        "of_each": _NOISE_RECORDS,
    }  # fmt: skip
    return render(request, "extract/noise.html", context)


@page
def show_readiness(request: HttpRequest, name: str) -> HttpResponse:
    """Show what stands between a context and a service of its own, with file and line."""
    if name not in import_string(settings.HOSTED_CONTEXTS):
        raise Http404(f"there is no context {name}")
    found = scanned(name)
    now = counts(found)
    context = {
        "title": f"Readiness of {name}", "name": name, "counts": now, "found": found[:_LISTED], "all": len(found),
        "worse": beyond(name, now),
    }  # fmt: skip
    return render(request, "extract/readiness.html", context)


def _carved(name: str) -> str:
    if name not in SHAPES:
        raise Http404(f"{name} cannot be carved out")
    return name
