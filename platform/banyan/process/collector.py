"""When Python looks for garbage in cycles: seldom, and never again through what has been there for long.

Left to itself it goes through everything that a process holds, every few seconds where messages are many, and all
threads wait for it: tens of milliseconds where there are thousands of accounts.
"""

import gc
import threading

from banyan.process.allocator import return_pages

_FIRST_SECONDS = 10.0
_SECONDS = 60.0
_YOUNG, _MIDDLE, _NEVER = 10_000, 50, 1_000_000


class Collector:
    """The worker that collects what little there is, and lets what lives on be left alone from then on.

    What is free then goes back to the system.
    """

    name = "collector"

    def __init__(self) -> None:
        self._woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Collect once a minute, the first time when a process has had the time to load what it needs."""
        before = gc.get_threshold()
        gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
        seconds = _FIRST_SECONDS
        while not stop.is_set() and not self._woken.wait(seconds):
            gc.collect()
            gc.freeze()
            return_pages()
            seconds = _SECONDS
        gc.set_threshold(*before)

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()
