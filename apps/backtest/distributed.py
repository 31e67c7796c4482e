"""A sweep spread over Celery workers: chunks go out, each comes back once, a lost one goes out again."""

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TASK = "backtest.sweep_chunk"
_PATIENCE_SECONDS = (2.0, 8.0)
"""How long workers have to answer; on a busy machine one that is there may be late, so it is asked again."""
CHUNKS_PER_PROCESS = 8
COMBINATIONS_MAX = 2_000  # of a chunk: about the work that is lost with a worker
LOST_MAX = 5
POLL_SECONDS = 0.05


class NoWorkersError(RuntimeError):
    """No Celery worker answers."""


class SweepLostError(RuntimeError):
    """A chunk never came back, however often it was sent."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every chunk of one sweep has in common; a message carries this and numbers of combinations."""

    id: str
    strategy: str
    code_hash: str
    bars: str  # what `distributed_bars.share` returned
    grid: dict[str, list[Any]]
    params: dict[str, Any]
    options: dict[str, Any]


def processes(app: Any) -> int:
    """Return how many worker processes answer. Raises NoWorkersError where none does."""
    asked = (app.control.inspect(timeout=seconds).stats() or {} for seconds in _PATIENCE_SECONDS)
    stats: dict[str, Any] = next(filter(None, asked), {})
    if not stats:
        raise NoWorkersError(
            f"no worker answers at {app.connection().as_uri()}; start some: celery -A settings.celery worker"
        )
    return sum(int(each.get("pool", {}).get("max-concurrency") or 1) for each in stats.values())


def spread(
    job: Job,
    numbers: list[int],
    *,
    app: Any,
    progress: Callable[[int, int], None] | None = None,
    chunk_size: int = 0,
    patience: float = 30.0,
) -> dict[str, NDArray[np.float64]]:
    """Evaluate the combinations `numbers` of the job's grid on the workers; return metrics, one row for each of them.

    When nothing has come back for `patience` seconds, all that is missing is sent again: a worker that was killed loses
    nothing. Results are kept by chunk and counted once, whichever copy comes first. The wait doubles each time; after
    LOST_MAX times without any result SweepLostError is raised. What a strategy raises in a worker is raised here.
    """
    total = len(numbers)
    size = chunk_size or min(COMBINATIONS_MAX, max(1, -(-total // (CHUNKS_PER_PROCESS * processes(app)))))
    chunks = [slice(first, min(first + size, total)) for first in range(0, total, size)]
    columns: dict[str, NDArray[np.float64]] = {}
    done = 0
    try:
        for chunk, values in _collected(job, [numbers[each] for each in chunks], app, patience):
            for name, column in values.items():
                columns.setdefault(name, np.full(total, np.nan))[chunks[chunk]] = column
            done += chunks[chunk].stop - chunks[chunk].start
            if progress:
                progress(done, total)
    finally:
        _clear(app, [_task_id(job, chunk) for chunk in range(len(chunks))])
    return columns


def _collected(
    job: Job, chunks: list[list[int]], app: Any, patience: float
) -> Iterator[tuple[int, dict[str, NDArray[np.float64]]]]:
    """Yield each chunk's number and metrics once, in whatever order they come."""
    waiting = {chunk: _send(app, job, chunk, numbers) for chunk, numbers in enumerate(chunks)}
    wait, heard, lost = patience, time.monotonic(), 0
    while waiting:
        ready = [chunk for chunk, task in waiting.items() if task.ready()]
        for chunk in ready:
            yield chunk, decoded(waiting.pop(chunk).get())
        if ready:
            wait, heard, lost = patience, time.monotonic(), 0
        elif time.monotonic() - heard > wait:
            lost += 1
            if lost > LOST_MAX:
                raise SweepLostError(
                    f"{len(waiting)} of {len(chunks)} chunks did not come back, sent {LOST_MAX + 1} times each: "
                    "are workers alive, and have they the memory?"
                )
            waiting = {chunk: _send(app, job, chunk, chunks[chunk]) for chunk in waiting}
            wait, heard = wait * 2, time.monotonic()
        else:
            time.sleep(POLL_SECONDS)


def _send(app: Any, job: Job, chunk: int, numbers: list[int]) -> Any:
    return app.send_task(TASK, args=[asdict(job), numbers], task_id=_task_id(job, chunk))


def _task_id(job: Job, chunk: int) -> str:
    return f"sweep-{job.id}-{chunk}"


def _clear(app: Any, tasks: list[str]) -> None:
    """Take back what is still queued (a chunk that was sent twice), and drop the results."""
    app.control.revoke(tasks)
    for task in tasks:
        app.AsyncResult(task).forget()


def encoded(columns: dict[str, NDArray[Any]]) -> dict[str, str]:
    """Return metrics as JSON carries them bit for bit."""
    return {
        name: base64.b64encode(np.ascontiguousarray(each, np.float64).tobytes()).decode()
        for name, each in columns.items()
    }


def decoded(columns: dict[str, str]) -> dict[str, NDArray[Any]]:
    """Return the metrics that `encoded` wrote: float64 arrays by name."""
    return {name: np.frombuffer(base64.b64decode(each), np.float64) for name, each in columns.items()}
