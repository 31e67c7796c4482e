"""Turns: what a worker does about what has come for it, done by the thread that has brought it wherever that can be.

From one thread to another a message waits until the other has been woken, has the interpreter's lock, and has its data
in the processor's caches. So a worker lends its turn: who has brought it something does the turn itself, while the
worker's own thread waits, and looks after time and failures. One thread at a time has a turn, whoever it is.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_IN_A_ROW_MAX = 16  # turns of others; then their own threads go on, and this one comes back to what is its own
_OF_THREAD = threading.local()


class Turn:
    """The turn of one worker; `call` wakes its own thread."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.taken = threading.Lock()
        """Held by whoever has the turn."""
        self._work: Callable[[], bool] | None = None

    def lend(self, work: Callable[[], bool]) -> None:
        """Let others do `work` from now on, which tells whether there is more to do at once."""
        self._work = work

    def withdraw(self) -> None:
        """Let nobody else begin a turn from now on."""
        self._work = None

    def due(self) -> None:
        """Have the turn taken: by this thread when it has brought all that it is about to bring, else by its own."""
        brought = getattr(_OF_THREAD, "brought", None)
        if brought is None or self._work is None:
            self.call()
        elif self not in brought:
            brought.append(self)

    def is_done_here(self) -> bool | None:
        """Do the turn in this thread; tell whether nothing is left to do, None where somebody else is at it."""
        if not self.taken.acquire(blocking=False):
            return None
        try:
            work = self._work  # once, since it may be withdrawn meanwhile
            return None if work is None else not work()
        finally:
            self.taken.release()


@contextmanager
def bringing(has_more: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Take the turns of those to whom something is brought in this block, and by what follows from it, at its end.

    Where `has_more` tells then that this thread has more to bring, or it has done enough for others, their own threads
    do the rest.
    """
    brought: deque[Turn] = deque()
    assert getattr(_OF_THREAD, "brought", None) is None, "this thread is bringing something already"
    _OF_THREAD.brought = brought
    try:
        yield
        for _ in range(_IN_A_ROW_MAX):
            if not brought or has_more():
                break
            turn = brought.popleft()
            is_done = turn.is_done_here()
            if is_done is None:
                turn.call()
            elif not is_done and turn not in brought:
                brought.append(turn)
    finally:
        _OF_THREAD.brought = None
        for turn in brought:
            turn.call()
