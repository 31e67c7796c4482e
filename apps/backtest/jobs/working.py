"""Jobs worked off, one after the other, each by a process of its own that can be stopped whatever it does."""

import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple, Protocol

from django.conf import settings
from django.utils import timezone

from apps.backtest.jobs.keeping import LOST, alone, taken
from apps.backtest.jobs.keeping import move as move_jobs
from apps.backtest.models import Job

LOOK_SECONDS = 0.2
SECONDS_MAX = 3_600.0
MEMORY_MB = 4_096
"""What a job may take beside what every process of ours does."""


class Process(Protocol):
    """A process that carries a job out."""

    def wait(self, timeout: float) -> int:
        """Return its exit code. Raises subprocess.TimeoutExpired when it runs for longer."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Pace(NamedTuple):
    """How a worker goes about it: how often it looks whether a job is to end, and how long one may take."""

    look_seconds: float = LOOK_SECONDS
    seconds_max: float = SECONDS_MAX


PACE = Pace()


def started(job: Job) -> Process:
    """Start the process of a job; it ends with this one, and steps back behind all that trades."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "jobs", "do", job.short_id]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def work_off(
    is_stopping: Callable[[], bool], start: Callable[[Job], Process] = started, pace: Pace = PACE
) -> int:  # fmt: skip
    """Work on jobs until none waits, or this process is to stop; return how many were taken.

    A job that is stopped because its worker is goes back to those that wait.
    """
    count = 0
    while not is_stopping():
        with taken() as job:
            if job is None:
                break
            count += 1
            _work_on(job, start(job), is_stopping, pace)
    return count


def work_off_alone(is_stopping: Callable[[], bool], start: Callable[[Job], Process] = started) -> int:
    """Do the same unless another process does: without a broker there is one at a time."""
    with alone() as is_alone:
        return work_off(is_stopping, start) if is_alone else 0


def _work_on(job: Job, process: Process, is_stopping: Callable[[], bool], pace: Pace) -> None:
    own = Job.objects.filter(pk=job.pk, state="running")
    waited, code = 0.0, None
    try:
        while code is None:
            try:
                code = process.wait(pace.look_seconds)
            except subprocess.TimeoutExpired:
                waited += pace.look_seconds
                if is_stopping() or waited > pace.seconds_max or own.filter(is_stopping=True).exists():
                    break
    finally:
        if code is None:
            process.kill()
            process.wait(60.0)
    now = timezone.now()
    if own.filter(is_stopping=True).exists():
        move_jobs(own, state="cancelled", ended_at=now)
    elif code is not None:  # of those that end in order none is running any more
        move_jobs(own, state="lost", problem=LOST if code >= 0 else _killed(code), ended_at=now)
    elif is_stopping():
        move_jobs(own, state="queued", started_at=None)
    else:
        told = f"It took longer than {pace.seconds_max / 60:g} minutes: ask for less at once."
        move_jobs(own, state="failed", problem=told, ended_at=now)


def _killed(code: int) -> str:
    return f"The process that worked on it was killed (signal {-code}); it may have taken too much memory."
