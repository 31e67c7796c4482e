"""Doing something in a process of its own that takes what this one is not to keep."""

import logging
import os
import sys
from collections.abc import Callable

from banyan.process.usage import end_with_parent

_LOGGER = logging.getLogger(__name__)


def do_apart(body: Callable[[], object]) -> bool:
    """Do something in a forked process, and wait for it; return whether it ended in order.

    This process is to have one thread, and no connection.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _do(body)
    return os.waitpid(pid, 0)[1] == 0


def _do(body: Callable[[], object]) -> None:
    code = 1
    try:
        end_with_parent()
        body()
        code = 0
    except Exception:
        _LOGGER.exception("a forked process failed")
    finally:
        sys.stderr.flush()
        os._exit(code)
