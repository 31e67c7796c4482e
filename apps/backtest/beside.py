"""Work on another core while this one goes on: kernels hold no lock, so a thread is enough.

The threads stay: where one is started for each piece of work, both are on one core for a while, and the first waits.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

WORTH = 200_000  # rows from which handing work over costs less than it saves


def beside(rows: int, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Start `function(*arguments)` and return a function that waits for it and returns what it returned.

    Below WORTH rows it is called at once, in this thread, and where no other core has begun with it, by whoever waits.
    What it raises is raised to whoever waits, who does so once.
    """
    if rows < WORTH:
        result = function(*arguments)
        return lambda: result
    work = _threads().submit(function, *arguments)

    def wait() -> Any:
        return function(*arguments) if work.cancel() else work.result()

    return wait


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1), "beside")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a forked process has none of the threads
