"""Work on another core while this one goes on: kernels hold no lock, so a thread is enough."""

from collections.abc import Callable
from threading import Thread
from typing import Any

WORTH = 200_000  # rows from which a thread costs less than it saves


def beside(rows: int, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Start `function(*arguments)` and return a function that waits for it and returns what it returned.

    Below WORTH rows it is called at once, in this thread. What it raises is raised to whoever waits.
    """
    if rows < WORTH:
        result = function(*arguments)
        return lambda: result
    outcome: list[Any] = [None, None]

    def work() -> None:
        try:
            outcome[0] = function(*arguments)
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            outcome[1] = error

    thread = Thread(target=work)
    thread.start()

    def wait() -> Any:
        thread.join()
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    return wait
