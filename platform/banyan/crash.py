"""Named points at which a test can make this process die as if it had been killed from outside."""

import os
import signal

_AT, _, _NTH = os.environ.get("BANYAN_CRASH_AT", "").partition(":")
_left = int(_NTH or 1)


def point(name: str) -> None:
    """Pass the crash point `name`: nothing happens, unless `BANYAN_CRASH_AT` is "name" or "name:n".

    Then the process kills itself with SIGKILL at its n-th passing, so that nothing is cleaned up or flushed.
    """
    if name == _AT:
        global _left  # noqa: PLW0603
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
