"""What goes on behind the pages: messages followed through logs, dead letters, and the configuration in force."""

import platform
from functools import partial
from typing import NamedTuple

import django
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.module_loading import import_string

from apps.console.access import OPERATE, page
from apps.console.asking import Asking
from apps.console.charts import Bit, waterfall
from apps.console.models import Act
from apps.console.unmet import tell_unmet
from apps.execution.interface import AccountError, numbers_by_shard
from apps.reporting import interface as reporting
from apps.reporting.interface import OrderRow, Scope
from banyan import dead_letters, lineage
from banyan.dead_letters import Letter, LetterError, Stopped
from banyan.lineage import StepTold
from banyan.tracing import Asked

_STEPS_A_PAGE = 50
_FILLS_MOST = 100
_FILLS_SHOWN = 5
_COMMANDS_MOST = 5
"""Of an act of many shards: what came of one command is much like what came of the next."""
_SHOWN_MAX = 20_000
"""Characters of a message: a batch of thousands of accounts is longer, and `manage.py events show` has it all."""


class Stage(NamedTuple):
    """A stage of what came of a message: where, what, when it began and ended, and its bar in the picture.

    `waited_ms` is since the stage before it had ended; `step` is the record that it is told by.
    """

    where: str
    what: str
    begin_ns: int
    end_ns: int
    waited_ms: float
    took_ms: float
    bit: Bit
    step: StepTold | None


@page
def show_streams(request: HttpRequest) -> HttpResponse:
    """Show the contexts' logs, and the newest steps of one."""
    asking = Asking()
    keys = {
        name: asking.of(name, partial(lineage.keys_of, name)) or [] for name in import_string(settings.HOSTED_CONTEXTS)
    }
    context, key = request.GET.get("context", ""), request.GET.get("key", "")
    before = request.GET.get("before", "")
    if (context or key) and not any(key == each for each, _ in keys.get(context, [])) and not asking.away:
        raise Http404(f"there is no log {context}/{key}")
    place = int(before) if before.isdecimal() and len(before) < 19 else None
    found = asking.of(context, lambda: lineage.steps(context, key, _STEPS_A_PAGE + 1, place)) if context else []
    steps = (found or [])[:_STEPS_A_PAGE]
    shown = {
        "title": "Streams", "keys": keys, "of": context, "key": key, "steps": steps, "is_newest": place is None,
        "next": steps[-1].number if found and len(found) > _STEPS_A_PAGE else None, "away": asking.away,
    }  # fmt: skip
    part = "console/streams_live.html" if request.headers.get("HX-Request") else "console/streams.html"
    return render(request, part, shown)


@page
def show_step(request: HttpRequest, context: str, key: str, number: int) -> HttpResponse:
    """Show a step of a log: what it took, with its envelope, and what it gave."""
    found = lineage.step(context, key, number) if lineage.has_log(context) else None
    if found is None:
        raise Http404(f"{context}/{key} has no record {number}, or not any more")
    cut = [found.message, *(body for _, body in found.events)]
    shown = {
        "title": f"{context}/{key} #{number}", "step": found, "most": _SHOWN_MAX,
        "is_cut": any(len(each) > _SHOWN_MAX for each in cut),
    }  # fmt: skip
    return render(request, "console/step.html", shown)


@page
def follow_step(request: HttpRequest, context: str, key: str, number: int) -> HttpResponse:
    """Follow a message from where it came to what came of it."""
    found = lineage.lineage(context, key, number) if lineage.has_log(context) else []
    if not found:
        raise Http404(f"{context}/{key} has no record {number}, or not any more")
    shown = {
        "title": "One message followed", "stages": _stages(found, None), "order": None, "root": _root(found),
        "trace": _trace(found),
    }  # fmt: skip
    return render(request, "console/followed.html", shown)


@page
def follow_order(request: HttpRequest, account: str, instrument: str, decision: int) -> HttpResponse:
    """Follow the message that led to an order, from its quote to its fill."""
    order = reporting.order(Scope(account=account, instrument=instrument), decision)
    if order is None:
        raise Http404("there is no such order")
    asking = Asking()
    found = asking.of("execution", partial(_of_order, order)) or []
    shown = {
        "title": "One message followed", "stages": _stages(found, order), "order": order, "root": _root(found),
        "trace": _trace(found), "away": asking.away,
    }  # fmt: skip
    return render(request, "console/followed.html", shown)


@page
def follow_request(request: HttpRequest, request_id: str) -> HttpResponse:
    """Follow a call of the API, or an act of the console, by its id: who asked for what, and what came of it."""
    acts = list(Act.objects.select_related("outcome").filter(request_id=request_id).order_by("at", "id"))
    if not acts:
        raise Http404(f"no act was asked for by request {request_id}")
    commands = [Asked(*each) for act in acts if hasattr(act, "outcome") for each in act.outcome.commands]
    asking = Asking()
    tell_unmet(asking, acts)
    found: list[StepTold] = []
    waiting = []
    for each in commands[:_COMMANDS_MOST]:
        record = asking.of(each.context, partial(lineage.record_of, *each)) if lineage.has_log(each.context) else None
        if record is None:
            waiting.append(each)
        else:
            found += asking.of(each.context, partial(lineage.lineage, each.context, each.key, record.number)) or []
    shown = {
        "title": "One request followed", "acts": acts, "request_id": request_id, "commands": commands,
        "most": _COMMANDS_MOST, "waiting": waiting, "stages": _stages(found, None), "order": None, "root": _root(found),
        "away": asking.away,
    }  # fmt: skip
    return render(request, "console/followed.html", shown)


def _of_order(order: OrderRow) -> list[StepTold]:
    if order.number is None:
        return []
    try:
        ((shard, _),) = numbers_by_shard([order.account])
    except AccountError:
        return []
    return [*lineage.lineage("execution", shard, order.number), *_booked(order, shard)]


def _booked(order: OrderRow, shard: str) -> list[StepTold]:
    """Return the steps of execution that booked fills of an order."""
    if order.first_fill_ns is None:
        return []
    scope = Scope(account=order.account, instrument=order.instrument, since_ns=order.first_fill_ns)
    found = reporting.fills_from(scope, _FILLS_MOST, is_rising=True)
    numbers = sorted({place[2] for place, fill in found if fill.decision == order.decision})
    shown = (lineage.step("execution", shard, number) for number in numbers[:_FILLS_SHOWN])
    return [each.told for each in shown if each is not None]


def _root(found: list[StepTold]) -> str:
    return next((each.correlation or each.id for each in found), "")


def _trace(found: list[StepTold]) -> str:
    """Return the request that all of it goes back to, "" where it goes back to none."""
    return next((each.trace for each in found if each.trace), "")


def _stages(found: list[StepTold], order: OrderRow | None) -> list[Stage]:
    """Return the steps, and after them what the broker did with an order, in the order of time."""
    told: list[tuple[str, str, int, int, StepTold | None]] = [
        (f"{each.context}/{each.key}", each.name, each.received_at_ns, each.committed_at_ns, each) for each in found
    ]
    if order is not None:
        approved = order.approved_at_ns
        reached = (
            ("edge", "sent to the broker", approved, order.sent_at_ns),
            ("broker", "acknowledged", order.sent_at_ns, order.accepted_at_ns),
        )  # when it filled is told by the broker's own clock: what is shown of that is when it was booked
        told += [
            (where, what, begin, end, None) for where, what, begin, end in reached if begin and end and end >= begin
        ]
    told.sort(key=lambda each: each[2])
    bits = waterfall([(begin, end) for _, _, begin, end, _ in told])
    stages, before_ns = [], None
    for (where, what, begin, end, step), bit in zip(told, bits, strict=True):
        waited = 0.0 if before_ns is None else max(0.0, (begin - before_ns) / 1e6)
        stages.append(Stage(where, what, begin, end, waited, max(0.0, (end - begin) / 1e6), bit, step))
        before_ns = max(end, before_ns or 0)
    return stages


@page
def show_dead_letters(request: HttpRequest) -> HttpResponse:
    """Show what could not be processed: what is open, or with what was dealt with already."""
    asking, everything = Asking(), "all" in request.GET
    letters: list[Letter] = []
    stopped: list[Stopped] = []
    for name in import_string(settings.HOSTED_CONTEXTS):
        letters += asking.of(name, partial(dead_letters.letters_of, name, everything=everything)) or []
        stopped += asking.of(name, partial(dead_letters.stopped_of, name)) or []
    context = {
        "title": "Dead letters", "letters": letters, "stopped": stopped, "everything": everything, "away": asking.away,
    }  # fmt: skip
    part = "console/dead_letters_live.html" if request.headers.get("HX-Request") else "console/dead_letters.html"
    return render(request, part, context)


@page
def show_dead_letter(request: HttpRequest, context: str, letter: int) -> HttpResponse:
    """Show a message that could not be processed."""
    try:
        found = dead_letters.read(context, str(letter))
    except LetterError as problem:
        raise Http404(str(problem)) from None
    shown = {"title": f"Dead letter {letter} of {context}", "letter": found, "most": _SHOWN_MAX}
    return render(request, "console/dead_letter.html", shown)


def show_configuration(request: HttpRequest) -> HttpResponse:
    """Show which settings are in force, and where each is from; what is secret is only said to be set."""
    versions = {
        "Python": platform.python_version(), "Django": django.get_version(), "system": platform.platform(terse=True),
    }  # fmt: skip
    found = sorted(settings.CONFIGURATION.values(), key=lambda each: (not each.is_set, each.name))
    context = {"title": "Configuration", "settings": found, "versions": versions, "module": settings.SETTINGS_MODULE}
    return render(request, "console/configuration.html", context)


show_configuration = page(show_configuration, OPERATE)
