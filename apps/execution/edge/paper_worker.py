"""The paper broker as a role of the system: a process beside the one that trades with it."""

import threading
from pathlib import Path

from apps.execution.paper.broker import Options
from apps.execution.paper.faults import Faults
from apps.execution.paper.ledger import LedgerError
from apps.execution.paper.server import Server
from banyan.clock import Clock
from banyan.process import CannotRunError


class PaperWorker:
    """Serves a paper broker without faults from the ledger in `folder`, on the socket beside it.

    `rates` are the orders that it takes in a second, of a session and of an account; 0: any number.
    """

    name = "paper"

    def __init__(self, folder: Path, clock: Clock, rates: tuple[int, int] = (0, 0)) -> None:
        self._folder = folder
        self._options = Options(orders_per_second_max=rates[0], orders_per_second_per_account_max=rates[1])
        self._clock = clock
        self._server: Server | None = None

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set. Raises CannotRunError where the ledger is in use by another, or damaged."""
        try:
            server = Server(self._folder, self._folder / "socket", self._options, Faults(), self._clock)
        except LedgerError as problem:
            raise CannotRunError(str(problem)) from None
        self._server = server
        if not stop.is_set():
            server.serve()
        server.close()

    def wake(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.stop()
