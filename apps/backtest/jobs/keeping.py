"""Jobs as they stand: rows that move from queued to an end, each move with a number by which it can be followed.

Who works on a job holds a lock of the database's session on it, from before it is running until after its end. So a
job that is running and that nobody holds was lost, whatever became of its worker, and no clock has to say so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from apps.backtest.jobs.asking import JobError, Wanted, checked
from apps.backtest.models import Job

ALIAS = "backtest"
OPEN_MAX = 20
"""How many jobs of an owner may wait or run at a time."""
KEPT = timedelta(days=90)
ENDED = ("done", "failed", "cancelled", "lost")
_HELD, _ALONE = 1_785_684_834, 1_785_684_835  # classes of locks: on a job each, and on what only one does at a time
_MOVING, _WORKING = 1, 2
LOST = "The process that worked on it has ended, or cannot reach the database any more. Nothing was stored."


class JobStanding(NamedTuple):
    """A job: who asked for what, how far it is (`done` of `total`, 0 of 0 where that is not known), what came out.

    `state` is queued, running, done, failed, cancelled or lost; `problem` says why where it was none of the first
    three. `run` is the stored run: what was asked for, of a sweep the best. `number` grows with each change of any job.
    """

    id: str
    kind: str
    strategy: str
    owner: str
    state: str
    done: int
    total: int
    problem: str
    run: str
    asked: dict[str, Any]
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    is_stopping: bool
    number: int
    place: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED


def submit(wanted: Wanted, owner: str, request_id: str) -> JobStanding:
    """Queue a job; the same `request_id` again gives the same job. Raises JobError and what `checked` raises."""
    asked = checked(wanted)
    with _moving():
        found = Job.objects.filter(request_id=request_id).first()
        if found is None:
            waiting = Job.objects.filter(owner=owner).exclude(state__in=ENDED).count()
            if waiting >= OPEN_MAX:
                raise JobError(f"{waiting} of your jobs wait or run, which is the most: wait for one, or cancel one")
            found = Job.objects.create(
                request_id=request_id, owner=owner, kind=wanted.kind, strategy=wanted.strategy, asked=asked,
                submitted_at=timezone.now(), number=_next(),
            )  # fmt: skip
    return _told(found)


def find(short_id: str) -> JobStanding | None:
    """Return a job by its id, None where there is none."""
    _mark_lost()
    return next(map(_told, Job.objects.filter(short_id=short_id)), None)


def listed(most: int, *, owner: str = "", state: str = "", before: int | None = None) -> list[JobStanding]:
    """Return jobs, newest first, those before the one at a place: of an owner, or in a state."""
    _mark_lost()
    found = Job.objects.filter(**{name: each for name, each in (("owner", owner), ("state", state)) if each})
    if before is not None:
        found = found.filter(pk__lt=before)
    return [_told(each) for each in found.order_by("-pk")[:most]]


def changed(after: int, upto: int, most: int) -> list[JobStanding]:
    """Return jobs as they stand whose last change is after one number and not after another, in that order."""
    found = Job.objects.filter(number__gt=after, number__lte=upto)
    return [_told(each) for each in found.order_by("number")[:most]]


def last_number(before: datetime | None = None) -> int:
    """Return the number of the last change of those that jobs have still; with a time, of what had changed before."""
    _mark_lost()
    found: QuerySet[Job] = Job.objects.all()
    if before is None:
        last = found.order_by("-number").first()
        return last.number if last else 0
    first = found.filter(changed_at__gte=before).order_by("number").first()
    return first.number - 1 if first else last_number()


def cancel(short_id: str) -> JobStanding | None:
    """Let a job end: at once while it waits, in a moment while it runs. None where there is no such job."""
    if not move(Job.objects.filter(short_id=short_id, state="queued"), state="cancelled", ended_at=timezone.now()):
        move(Job.objects.filter(short_id=short_id, state="running"), is_stopping=True)
    return find(short_id)


def move(of: "QuerySet[Job]", **values: Any) -> int:
    """Change jobs, each with a number of its own; return how many there were."""
    with _moving():
        return of.update(**values, number=RawSQL("nextval('backtest_job_number')", ()), changed_at=timezone.now())


@contextmanager
def taken() -> Iterator[Job | None]:
    """Take the job that waits longest, of the owner with the fewest that run, and hold it; None where none waits."""
    with _moving() as moving:
        moving.execute(_NEXT)
        row = moving.fetchone()
        if row is not None:
            moving.execute("SELECT pg_advisory_lock(%s, %s)", [_HELD, row[0]])
            move(Job.objects.filter(pk=row[0]), state="running", started_at=timezone.now(), done=0, total=0)
    if row is None:
        yield None
        return
    try:
        yield Job.objects.get(pk=row[0])
    finally:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_HELD, row[0]])


@contextmanager
def alone() -> Iterator[bool]:
    """Be the one process that works without a broker: yields whether it is, which is only so for one at a time."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_ALONE, _WORKING])
        (is_alone,) = cursor.fetchone()
        try:
            yield is_alone
        finally:
            if is_alone:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_ALONE, _WORKING])


def retain(now: datetime, *, is_dry: bool) -> Iterator[str]:
    """Forget jobs that ended long ago, with their reports; the runs that they stored stay. Yield what went."""
    gone = Job.objects.filter(state__in=ENDED, ended_at__lt=now - KEPT)
    count = gone.count()
    if not is_dry:
        gone.delete()
    if count:
        yield f"{count:,} jobs"


_NEXT = """
    SELECT id FROM backtest_job waiting WHERE state = 'queued'
    ORDER BY (SELECT count(*) FROM backtest_job other WHERE other.owner = waiting.owner AND other.state = 'running'), id
    LIMIT 1"""
_HOLDERS = """
    SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


def _mark_lost() -> None:
    """Say of jobs that nobody holds any more that they were lost."""
    running = Job.objects.filter(state="running")
    if not running.exists():
        return
    with _moving() as cursor:
        cursor.execute(_HOLDERS, [_HELD])
        held = [number for (number,) in cursor.fetchall()]
        lost = running.exclude(pk__in=held)
        lost.update(
            state="lost", problem=LOST, ended_at=timezone.now(), changed_at=timezone.now(),
            number=RawSQL("nextval('backtest_job_number')", ()),
        )  # fmt: skip


@contextmanager
def _moving() -> Iterator[Any]:
    """Let one move be committed after another, in the order of their numbers: who follows them misses none."""
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ALONE, _MOVING])
        yield cursor


def _next() -> int:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("SELECT nextval('backtest_job_number')")
        number: int = cursor.fetchone()[0]
    return number


def _told(job: Job) -> JobStanding:
    return JobStanding(
        job.short_id, job.kind, job.strategy, job.owner, job.state, job.done, job.total, job.problem, job.run,
        job.asked, job.submitted_at, job.started_at, job.ended_at, job.is_stopping, job.number, job.pk,
    )  # fmt: skip
