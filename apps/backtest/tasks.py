"""What Celery workers do for backtests."""

import logging
from time import perf_counter
from typing import Any

from celery import shared_task
from celery.signals import worker_init


@shared_task(name="backtest.sweep_chunk", bind=True, acks_late=True, reject_on_worker_lost=True, track_started=True)
def sweep_chunk(self: Any, job: dict[str, Any], numbers: list[int]) -> dict[str, str]:
    """Return the metrics of the combinations `numbers` of the job's grid, as `distributed.encoded` writes them.

    Doing it twice gives the same bytes under the same task id. A copy that arrives after the result does nothing.
    """
    from apps.backtest.distributed import Job, encoded
    from apps.backtest.distributed_work import evaluate_chunk

    before = self.AsyncResult(self.request.id)
    if before.successful():
        return dict(before.get())
    return encoded(evaluate_chunk(Job(**job), numbers))


@shared_task(name="backtest.jobs", ignore_result=True, acks_late=True, reject_on_worker_lost=True)
def work_on_jobs() -> None:
    """Work on the jobs that wait: each is taken by one worker, however many hear of it."""
    from apps.backtest.jobs.working import work_off

    work_off(lambda: False)


@worker_init.connect
def warm(**_: Any) -> None:
    """Load the compiled kernels before the pool forks, so that the children share them."""
    from apps.backtest.distributed_work import warm_kernels

    begun = perf_counter()
    warm_kernels()
    logging.getLogger(__name__).info("kernels are warm after %.1f s", perf_counter() - begun)
