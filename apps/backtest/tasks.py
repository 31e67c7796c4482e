"""What Celery workers do for backtests."""

from typing import Any

from celery import shared_task
from celery.signals import worker_init


@shared_task(name="backtest.sweep_chunk", bind=True, acks_late=True, reject_on_worker_lost=True, track_started=True)
def sweep_chunk(self: Any, job: dict[str, Any], first: int, last: int) -> dict[str, str]:
    """Return the metrics of combinations `first` … `last` - 1 of the job's grid, as `distributed.encoded` writes them.

    Doing it twice gives the same bytes under the same task id. A copy that arrives after the result does nothing.
    """
    from apps.backtest.distributed import Job, encoded
    from apps.backtest.distributed_work import evaluate_chunk

    before = self.AsyncResult(self.request.id)
    if before.successful():
        return dict(before.get())
    return encoded(evaluate_chunk(Job(**job), first, last))


@worker_init.connect
def warm(**_: Any) -> None:
    """Load the compiled kernels before the pool forks, so that the children share them."""
    from apps.backtest.distributed_work import warm_kernels

    warm_kernels()
