"""How long tests wait for what other threads, processes and servers do: long, as a busy machine is nobody's mistake.

What comes at all comes at once on a machine that has nothing else to do, so nothing is gained by waiting less.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 300.0
_PAUSE_SECONDS = 0.01
_PAUSE_SHARE = 0.5
"""Of what a look took: whoever looks all the time takes the processor from what is waited for."""


def wait_until(is_so: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as `is_so()` is true; fail after `seconds`."""
    pause = threading.Event()  # unlike sleep it is not what a test may have put something else in the place of
    end = time.monotonic() + seconds
    while True:
        begun = time.monotonic()
        if is_so():
            return
        now = time.monotonic()
        assert now < end, f"waited {seconds:g} s in vain for {what}"
        pause.wait(max(_PAUSE_SECONDS, _PAUSE_SHARE * (now - begun)))


def wait_for_thread(thread: threading.Thread) -> None:
    """Wait until a thread has ended."""
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), f"{thread.name} has not ended after {PATIENCE_SECONDS:g} s"
