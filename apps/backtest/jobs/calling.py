"""Who works on jobs: Celery's workers where a broker is configured, else a process beside the one that was asked."""

import subprocess
import sys
import threading
from typing import ClassVar

from django.conf import settings
from django.utils.module_loading import import_string

TASK = "backtest.jobs"


def call() -> None:
    """Let somebody work on the jobs that wait."""
    if settings.CELERY_BROKER_URL:
        import_string(settings.CELERY_APP).send_task(TASK)
    else:
        _Beside.wake()


def tend() -> None:
    """See to it that somebody is there for the jobs that wait, who may have been called by a process that is gone."""
    if not settings.CELERY_BROKER_URL:
        _Beside.see_to_it()


class _Beside:
    """The worker beside this process: it lives as long, and sleeps until it is woken by a line."""

    _lock: ClassVar = threading.Lock()
    _process: ClassVar[subprocess.Popen[bytes] | None] = None

    @classmethod
    def wake(cls) -> None:
        with cls._lock:
            process = cls._there()
            assert process.stdin is not None
            try:
                process.stdin.write(b"\n")
                process.stdin.flush()
            except BrokenPipeError:  # it has just ended: whoever looks at a job that waits sees to it
                cls._process = None

    @classmethod
    def see_to_it(cls) -> None:
        with cls._lock:
            cls._there()

    @classmethod
    def _there(cls) -> subprocess.Popen[bytes]:
        if cls._process is None or cls._process.poll() is not None:
            cls._process = cls._started()
        return cls._process

    @staticmethod
    def _started() -> subprocess.Popen[bytes]:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "jobs", "work"]
        with (settings.DATA_DIR / "jobs.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )  # fmt: skip
