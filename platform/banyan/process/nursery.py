"""The worker whose process has a keeper of forked processes beside it, and a channel to each of these."""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from banyan.process.keeper import Body, Directory, Keeper
from banyan.process.usage import name_process
from banyan.process.watchdog import Limits

_LOGGER = logging.getLogger(__name__)
_NAME_BYTES_MAX = 1024
_STOP_SECONDS_MAX = 4.5


class Nursery:
    """Has a process for each name that `directory` wants; `join` gets each new one's name and channel.

    `prepare` loads what these processes share, before the first of them.

    It forks a keeper when it is made, which is to be before this process has threads or connections. The keeper ends
    with this process, and the failure of the keeper is this worker's.
    """

    def __init__(
        self, name: str, directory: Directory, body: Body, limits: Limits, join: Callable[[str, socket.socket], None],
        prepare: Callable[[], object] = lambda: None,
    ) -> None:  # fmt: skip
        self.name = name
        self._join = join
        self._channel, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            _keep(Keeper(directory, prepare, body, limits, theirs), self._channel)
        theirs.close()

    def run(self, stop: threading.Event) -> None:
        """Take the channels of new processes until `stop` is set. Raises RuntimeError when the keeper has ended."""
        while not stop.is_set():
            told, descriptors, _, _ = socket.recv_fds(self._channel, _NAME_BYTES_MAX, 1)
            if not told:
                break
            self._join(told.decode(), socket.socket(fileno=descriptors[0]))
        if not stop.is_set():
            os.waitpid(self._pid, 0)
            raise RuntimeError("the keeper of forked processes has ended")
        self._end()

    def wake(self) -> None:
        """Return from waiting, and let the keeper end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def _end(self) -> None:
        until = time.monotonic() + _STOP_SECONDS_MAX
        while not os.waitpid(self._pid, os.WNOHANG)[0]:
            if time.monotonic() > until:
                os.kill(self._pid, signal.SIGKILL)
            time.sleep(0.01)


def _keep(keeper: Keeper, not_ours: socket.socket) -> None:
    code = 1
    try:
        name_process("keeper")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        not_ours.close()
        keeper.run()
        code = 0
    except BaseException:
        _LOGGER.exception("the keeper of forked processes failed")
    finally:
        os._exit(code)
