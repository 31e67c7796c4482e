"""Research that takes its time: backtests, sweeps and walk-forwards as jobs, what came of them, runs compared."""

import math
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from apps.api import asking
from apps.api.access import Caller
from apps.api.doing import Body, Doing, DoneRow, MayReason, Turn
from apps.api.problems import Problem
from apps.api.rendering import Json
from apps.api.resources.steering import Setting
from apps.api.rows import Moment, Row
from apps.api.views import Listing, Page, Thing, View
from apps.backtest import interface as backtest
from apps.backtest.interface import Wanted
from apps.console import interface as console
from apps.console.interface import Became

_KINDS = ("backtest", "sweep", "walkforward")
_STATES = ("queued", "running", "done", "failed", "cancelled", "lost")
_RUNS_MAX = 10
_ROWS_MAX = 10_000
_GIVEN = (
    "kind", "strategy", "instruments", "interval", "adjust", "benchmark", "conversions", "parameters", "options",
    "grid", "rank", "train", "test", "step", "anchored",
)  # fmt: skip


class JobRow(Row):
    """A job: who asked for what, how far it is (`total` is 0 where that is not known), and what came out."""

    id = serializers.CharField()
    kind = serializers.CharField(help_text="backtest, sweep or walkforward")
    strategy = serializers.CharField()
    owner = serializers.CharField()
    state = serializers.CharField(help_text="queued, running, done, failed, cancelled, or lost with its worker")
    is_stopping = serializers.BooleanField(help_text="Whether it was cancelled, and ends in a moment.")
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    problem = serializers.CharField()
    run = serializers.CharField(help_text="The stored run that came out, of a sweep its best; empty: none yet.")
    asked = serializers.DictField()
    submitted_at = Moment(allow_null=False)
    started_at = Moment()
    ended_at = Moment()


class WindowRow(Row):
    """A window of a walk-forward; `parameters` is null where nothing was traded."""

    train = serializers.ListField(child=serializers.CharField())
    test = serializers.ListField(child=serializers.CharField())
    parameters = serializers.DictField(allow_null=True)
    train_score = serializers.FloatField(allow_null=True)
    test_score = serializers.FloatField(allow_null=True)
    metrics = serializers.DictField()


class ResultRow(Row):
    """What came out of a job, as it was computed: rows are of a sweep, best first, windows of a walk-forward."""

    run = serializers.CharField()
    metrics = serializers.DictField()
    notes = serializers.ListField(child=serializers.CharField())
    rank = serializers.CharField(allow_null=True)
    higher_is_better = serializers.BooleanField(allow_null=True)
    parameters = serializers.ListField(child=serializers.CharField(), allow_null=True)
    best = serializers.DictField(allow_null=True)
    left_out = serializers.IntegerField(allow_null=True, help_text="Combinations that do not go together.")
    columns = serializers.ListField(child=serializers.CharField(), allow_null=True)
    rows = serializers.ListField(child=serializers.ListField(child=serializers.JSONField()), allow_null=True)
    windows = WindowRow(many=True, allow_null=True)


class ComparedRow(Row):
    """Runs side by side: by name the value in each, in the order in which they were named."""

    runs = serializers.ListField(child=serializers.CharField())
    metrics = serializers.DictField(child=serializers.ListField(child=serializers.JSONField()))
    differences = serializers.DictField(child=serializers.ListField(child=serializers.JSONField()))


class JobDoneRow(DoneRow):
    """What was asked for, and the job that does it."""

    job = serializers.CharField()


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "minLength": 1, "maxLength": 200},
            {
                "type": "array", "minItems": 1, "maxItems": 200,
                "items": {"oneOf": [{"type": "number"}, {"type": "string", "maxLength": 100}]},
            },
        ]
    }
)  # fmt: skip
class Grid(serializers.Field):
    """Values of a parameter to try: some of them, or a text as `manage.py sweep` takes it."""

    def to_internal_value(self, data: Any) -> str | list[int | float | str]:
        """Return them. Raises ValidationError."""
        if isinstance(data, str) and 0 < len(data) <= 200:
            return data
        if isinstance(data, list) and 0 < len(data) <= 200:
            return [Setting().to_internal_value(each) for each in data]
        raise serializers.ValidationError('Give 1 to 200 values, or a text such as "5:25:1".')


class NewJob(Body):
    """A job: a shipped strategy on stored bars."""

    kind = serializers.ChoiceField(choices=_KINDS)
    strategy = serializers.CharField(max_length=64, help_text="One of /strategies.")
    instruments = serializers.ListField(child=serializers.CharField(max_length=64), allow_empty=False, max_length=20)
    interval = serializers.CharField(max_length=16, help_text="Such as 1h.")
    since = serializers.CharField(max_length=32, default="", allow_blank=True, help_text="The first bar: 2015-03-01.")
    until = serializers.CharField(max_length=32, default="", allow_blank=True, help_text="Bars before this time.")
    adjust = serializers.ChoiceField(choices=("all", "splits", "none"), default="all")
    benchmark = serializers.CharField(max_length=64, default="", allow_blank=True)
    conversions = serializers.DictField(child=serializers.CharField(max_length=64), default=dict)
    parameters = serializers.DictField(child=Setting(), default=dict, help_text="Those that are not the default.")
    options = serializers.DictField(child=Setting(), default=dict, help_text="Of docs/backtesting.md: cash, fee_bps …")
    grid = serializers.DictField(child=Grid(), default=dict, help_text="Without any: the values that are declared.")
    rank = serializers.CharField(max_length=32, default="sharpe", help_text="The metric that orders.")
    train = serializers.CharField(max_length=16, default="", allow_blank=True, help_text="A span such as 2y or 6mo.")
    test = serializers.CharField(max_length=16, default="", allow_blank=True)
    step = serializers.CharField(max_length=16, default="", allow_blank=True, help_text="As long as test if left out.")
    anchored = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=500, default="", allow_blank=True)


class SubmitJob(Doing):
    """Queue a backtest, sweep or walk-forward. It is done apart; what came out is in the job's result."""

    tag = "research"
    post_scope = "research"
    is_firm_only = True
    body = NewJob
    done = JobDoneRow

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        given = turn.given
        wanted = Wanted(begins=given["since"], ends=given["until"], **{name: given[name] for name in _GIVEN})

        def do() -> tuple[str, dict[str, Any]]:
            job = backtest.submit_job(wanted, _owner(turn.caller), turn.request_id)
            return f"Queued: {job.kind} of {job.strategy}, job {job.id}.", {"job": job.id}

        return console.recorded(turn.actor, "job.submit", wanted.strategy, given["reason"], before=dict, do=do), None


class CancelJob(Doing):
    """Cancel a job of one's own: one that waits at once, one that runs in a moment. One that has ended stays as it is.

    Another's takes the scope `operate` too.
    """

    tag = "research"
    post_scope = "research"
    is_firm_only = True
    body = MayReason

    def act(self, turn: Turn, **place: Any) -> tuple[Became, None]:
        """Do it."""
        found = backtest.job(place["job"])
        if found is None:
            raise Problem("not-found")
        if found.owner != _owner(turn.caller) and "operate" not in turn.caller.scopes:
            raise Problem("scope-missing", f"It is a job of {found.owner}: this needs the scope operate too.")

        def do() -> tuple[str, dict[str, Any]]:
            job = backtest.cancel_job(place["job"])
            assert job is not None
            told = f"Job {job.id} ends in a moment." if job.is_stopping else f"Job {job.id} is {job.state}."
            return told, {"state": job.state}

        reason = turn.given["reason"]
        return console.recorded(turn.actor, "job.cancel", place["job"], reason, before=dict, do=do), None


class Jobs(Listing):
    """List jobs, newest first."""

    tag = "research"
    scope = "research"
    row = JobRow
    is_firm_only = True
    kinds = (int,)
    parameters = (
        asking.choice("state", _STATES, "Only in this state."),
        asking.text("owner", "Only of this owner."),
        asking.yes("mine", "Only those of this key, and of those that it was rotated from."),
    )

    def rows(self, caller: Caller, asked: Mapping[str, Any], after: Any, most: int, **place: Any) -> Page:
        """Return a page of them."""
        before = after[0] if after else None
        owner = asked["owner"]
        if asked["mine"]:
            if owner not in ("", _owner(caller)):
                return Page([])
            owner = _owner(caller)
        found = backtest.jobs(most + 1, owner=owner, state=asked["state"], before=before)
        return Page(found[:most], (found[most - 1].place,) if len(found) > most else None)


class AllJobs(SubmitJob, Jobs):
    """Jobs, listed and submitted."""

    scope = "research"


class Job(Thing):
    """Show a job."""

    tag = "research"
    scope = "research"
    row = JobRow
    is_firm_only = True

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        return backtest.job(place["job"])


class JobResult(Thing):
    """Show what came out of a job that is done."""

    tag = "research"
    scope = "research"
    row = ResultRow
    is_firm_only = True
    parameters = (asking.whole("limit", 1, _ROWS_MAX, "How many rows of a sweep, the best first.", default=500),)

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        found = backtest.job_result(place["job"], asked["limit"])
        return None if found is None else dict.fromkeys(ResultRow().fields) | found


class Html(BaseRenderer):
    """A page, which its view answers with by itself."""

    media_type = "text/html"
    format = "html"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Never called: what is no page is a problem, which is JSON."""
        raise AssertionError(data)


class JobReport(View):
    """Read the report of a job that is done: one file of HTML that loads nothing, to be kept and opened."""

    tag = "research"
    scope = "research"
    is_firm_only = True
    renderer_classes = (Html, Json)

    @classmethod
    def answers(cls) -> dict[str, Any]:
        """Return what is answered, by its media type."""
        return {"text/html": OpenApiTypes.STR}

    def get(self, request: Request, **place: Any) -> HttpResponse:
        """Answer with it. It is no page of ours: a browser keeps it apart from the console."""
        self.asked(request)
        found = backtest.job_report(place["job"])
        if found is None:
            raise Problem("not-found")
        headers = {
            "Content-Disposition": f'attachment; filename="job-{place["job"]}.html"',
            "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
            "style-src 'unsafe-inline'; img-src data:",
        }
        return HttpResponse(found, content_type="text/html; charset=utf-8", headers=headers)


class RunsCompared(Thing):
    """Show stored runs side by side: their metrics, and of what was run that which is not the same in all."""

    tag = "research"
    scope = "research"
    row = ComparedRow
    is_firm_only = True

    @classmethod
    def all_parameters(cls) -> list[asking.Parameter]:
        """Return what a query can say."""
        schema = {"type": "string", "maxLength": 200}
        return [asking.Parameter("runs", _runs, schema, "2 to 10 runs, with commas between them.", is_required=True)]

    def find(self, caller: Caller, asked: Mapping[str, Any], **place: Any) -> Any:
        """Return it."""
        found = backtest.compare_runs(asked["runs"])
        if found is None:
            return None
        metrics = {name: [_finite(each) for each in values] for name, values in found.metrics.items()}
        return {"runs": list(found.runs), "metrics": metrics, "differences": found.differences}


def _owner(caller: Caller) -> str:
    """Return whose the jobs of a key are: rotated keys have the same."""
    return f"key {caller.holder}"


def _runs(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not 2 <= len(names) <= _RUNS_MAX or len(set(names)) < len(names) or not all(name.isalnum() for name in names):
        raise ValueError(f"2 to {_RUNS_MAX} ids of runs, each once, with commas between them")
    return names


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
