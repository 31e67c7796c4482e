"""The edge in a process: it is handed what execution has released, works, and tells execution what became of it."""

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence

import psycopg

from apps.execution.edge.edge import HANDLED, Edge
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.shard import SENDER, Outgoing, missed
from banyan.codec import decode_message
from banyan.host import Delivery, Turn, bringing
from banyan.road import Road
from banyan.transport import LocalTransport

_LOGGER = logging.getLogger(__name__)
_RETRY_SECONDS = 0.2
_LOOK_SECONDS = 1.0
EXECUTION = "execution"


class EdgeWorker:
    """Runs an edge for the shards `keys`, beside the hosts of `transport`. It says on the `road` when it works."""

    name = SENDER

    def __init__(self, edge: Edge, keys: Sequence[str], transport: LocalTransport) -> None:
        self.road = Road()
        self._edge = edge
        self._keys = keys
        self._transport = transport
        self._offered: deque[Delivery] = deque()
        self._looked_at = -_LOOK_SECONDS
        self._looks = 0
        self._waits_until_ns = 0
        self._selected: list[int] = []
        self._archive = Ledger()  # read by the threads of receivers
        self._reading = threading.Lock()
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self.turn = Turn(self.wake)
        transport.attach(SENDER, self, keys, self._missed)

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Let messages wait for the next round."""
        self._offered.extend(deliveries)
        self.turn.due()

    def wake(self) -> None:
        """Begin the next round now."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker, b"x")

    def taken(self) -> dict[str, int]:
        """Return how far each shard that is held has taken what execution has sent it; may be called by any thread."""
        held = list(self._edge.shards.values())
        return {shard.key: shard.streams.get((EXECUTION, shard.key), (0, 0))[1] for shard in held}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then hang up and give the leases back."""
        self._edge.open(self._keys)
        while not stop.is_set():
            try:
                with bringing(), self.turn.taken:
                    is_done = not self.step()
                    self._waits_until_ns, self._selected = self._due_ns(), self._edge.filenos()
                    self.turn.lend(self._lent)
                if is_done:
                    self._wait()
            except psycopg.OperationalError as problem:
                self.turn.withdraw()
                _LOGGER.warning("edge: the ledger is away, nothing is sent: %s", problem)
                stop.wait(_RETRY_SECONDS)
        self.turn.withdraw()
        with contextlib.suppress(psycopg.OperationalError), self.turn.taken:
            self.close()

    def close(self) -> None:
        """Hang up and give the leases back. Raises psycopg.OperationalError while the ledger is away."""
        with self._reading:
            self._archive.close()
        self._edge.close()

    def step(self) -> bool:
        """Do one round; tell whether anything was done. Raises psycopg.OperationalError while the ledger is away."""
        edge = self._edge
        self._look()
        if self._offered:
            self.road.use()
        while self._offered:
            self._hand_in(self._offered.popleft())
        did = edge.poll()
        outgoing, edge.outgoing = edge.outgoing, []
        self._transport.hand_on([delivery_to_execution(each) for each in outgoing])
        return did or bool(outgoing)

    def _lent(self) -> bool:
        """Do one round in another thread; our own does the rest, and what else waits for time, sockets or failures."""
        try:
            self.step()
        except psycopg.OperationalError:
            self.turn.withdraw()
            self.wake()
            return False
        if self._due_ns() < self._waits_until_ns or self._edge.filenos() != self._selected:
            self.wake()
        return bool(self._offered)

    def _look(self) -> None:
        """Fetch what was missed: where the edge saw a gap at once, and of each shard every second, one by one."""
        edge = self._edge
        wanted, edge.gaps = edge.gaps, set()
        if edge.shards and time.monotonic() - self._looked_at >= self._look_seconds():
            self._looked_at = time.monotonic()
            self._looks += 1
            wanted.add(sorted(edge.shards)[self._looks % len(edge.shards)])
        asked = {key: (edge.marks(key), {EXECUTION}) for key in sorted(wanted & edge.shards.keys())}
        for deliveries in self._transport.missed(SENDER, asked).values() if asked else ():
            for delivery in deliveries:
                self._hand_in(delivery)

    def _look_seconds(self) -> float:
        return _LOOK_SECONDS / max(1, len(self._edge.shards))

    def _hand_in(self, delivery: Delivery) -> None:
        message = delivery.message or decode_message(delivery.envelope.name, delivery.body)
        assert isinstance(message, HANDLED), f"{delivery.envelope.name} is not routed to the edge"
        self._edge.handle(delivery.envelope, message)

    def _wait(self) -> None:
        seconds = max(0.0, (self._waits_until_ns - time.monotonic_ns()) / 1e9)
        with contextlib.suppress(OSError):  # a socket was closed meanwhile, in a turn of another thread
            select.select([self._woken, *self._selected], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)

    def _due_ns(self) -> int:
        """Return until when, by the monotonic clock, there is nothing to do where nothing comes in."""
        return time.monotonic_ns() + min(self._edge.patience_ns(), int(self._look_seconds() * 1e9))

    def _missed(self, key: str, after: int) -> list[Delivery]:
        shard = self._edge.shards.get(key)
        if shard is not None and shard.reported <= after:
            return []
        with self._reading:
            found = missed(self._archive, key, after, now_ns=self._edge.time.now_ns())
        return [delivery_to_execution(each) for each in found]


def delivery_to_execution(outgoing: Outgoing) -> Delivery:
    """Return what the edge tells execution, as it is handed on."""
    return Delivery(EXECUTION, outgoing.envelope, outgoing.body, outgoing.message)
