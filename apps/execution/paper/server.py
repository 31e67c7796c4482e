"""The paper broker as a process: a Unix socket, the ledger, and one loop.

A round reads what has come in over all connections, does it, appends one group to the ledger, waits for the disk once,
and only then answers. A client that does not read its answers is hung up on; it finds what it missed by asking.
"""

import contextlib
import heapq
import selectors
import signal
import socket
from pathlib import Path

from apps.execution.paper.book import Book
from apps.execution.paper.broker import Broker, Options, Work, warm
from apps.execution.paper.faults import Faults
from apps.execution.paper.ledger import Ledger
from apps.execution.paper.protocol import Frame, FrameBuffer, ProtocolError, to_bytes, to_request
from banyan import crash
from banyan.clock import Clock
from banyan.sockets import short_address

BUFFER_BYTES = 4 * 1024 * 1024
_UNREAD_BYTES_MAX = 256 * 1024 * 1024
_ROUND_BYTES_MAX = 16 * 1024 * 1024


class _Connection:
    def __init__(self, number: int, peer: socket.socket) -> None:
        self.number = number
        self.socket = peer
        self.received = FrameBuffer()
        self.unsent = bytearray()
        self.free_ns = 0  # when the last answer that is late is sent: none overtakes it


class Server:
    """A paper broker that listens on the Unix socket `address` and keeps its ledger in `folder`."""

    def __init__(self, folder: Path, address: Path, options: Options, faults: Faults, clock: Clock) -> None:
        self._clock = clock
        self._ledger = Ledger(folder / "ledger")
        warm()
        book = Book(folder)
        for record in self._ledger.read():
            book.apply(record)
        self.broker = Broker(book, options, faults)
        self._address = address
        self._selector = selectors.DefaultSelector()
        self._listener = _listen(address)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._connections: dict[int, _Connection] = {}
        self._accepted = 0
        self._later: list[tuple[int, int, int, bytes]] = []  # (due, order, connection, bytes) of answers that are late
        self._delayed = 0
        self._stopping = False

    def serve(self) -> None:
        """Serve until `stop`."""
        while not self._stopping:
            self._round()

    def stop(self) -> None:
        """End `serve` after its round; may be called from a signal handler."""
        self._stopping = True
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b".")

    def stop_on(self, *signals: signal.Signals) -> None:
        """Stop when one of these signals comes."""
        for each in signals:
            signal.signal(each, lambda *_: self.stop())

    def close(self) -> None:
        """Close everything, and take the socket away."""
        for connection in list(self._connections.values()):
            self._hang_up(connection)
        for each in (self._listener, self._wake, self._waker):
            each.close()
        self._selector.close()
        self._address.unlink(missing_ok=True)
        self._ledger.close()

    def _round(self) -> None:
        ready = self._selector.select(self._patience())
        work = Work()
        for key, events in ready:
            connection = key.data
            if key.fileobj is self._listener:
                self._accept()
            elif connection is None:
                self._wake.recv(64)
            else:
                if events & selectors.EVENT_WRITE:
                    self._send(connection)
                if events & selectors.EVENT_READ:
                    self._read(connection, work)
        self.broker.settle(self._clock.wall_ns(), work)
        if work.records:
            self._ledger.append(work.records)
        self._answer(work)

    def _patience(self) -> float | None:
        dues = [self._later[0][0] - self._clock.monotonic_ns()] if self._later else []
        settle_ns = self.broker.next_due_ns()
        if settle_ns is not None:
            dues.append(settle_ns - self._clock.wall_ns())
        return max(0.0, min(dues) / 1e9) if dues else None

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            peer, _ = self._listener.accept()
            peer.setblocking(False)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            self._accepted += 1
            connection = _Connection(self._accepted, peer)
            self._connections[connection.number] = connection
            self._selector.register(peer, selectors.EVENT_READ, connection)

    def _read(self, connection: _Connection, work: Work) -> None:
        total = 0
        try:
            while total < _ROUND_BYTES_MAX:
                received = connection.socket.recv(1024 * 1024)
                if not received:
                    self._hang_up(connection)
                    return
                total += len(received)
                for body in connection.received.add(received):
                    self.broker.handle(connection.number, to_request(body), self._clock.wall_ns(), work)
        except BlockingIOError:
            return
        except (ProtocolError, ConnectionError):
            self._hang_up(connection)

    def _answer(self, work: Work) -> None:
        for number in work.hang_up:
            if number in self._connections:
                self._hang_up(self._connections[number])
        now_ns = self._clock.monotonic_ns()
        for number, frame in work.answers:
            self._put(number, frame, now_ns)
        while self._later and self._later[0][0] <= now_ns:
            _, _, number, written = heapq.heappop(self._later)
            if number in self._connections:
                self._connections[number].unsent += written
        if work.answers:
            crash.point("paper.before-answer")
        for connection in list(self._connections.values()):
            self._send(connection)
        if work.answers:
            crash.point("paper.after-answer")

    def _put(self, number: int, frame: Frame, now_ns: int) -> None:
        if number not in self._connections:
            return
        connection = self._connections[number]
        connection.free_ns = max(connection.free_ns, now_ns + self.broker.dice.delay_ns())
        if connection.free_ns > now_ns:
            self._delayed += 1
            heapq.heappush(self._later, (connection.free_ns, self._delayed, number, to_bytes(frame)))
        else:
            connection.unsent += to_bytes(frame)

    def _send(self, connection: _Connection) -> None:
        unsent = connection.unsent
        try:
            while unsent:
                with memoryview(unsent) as view:
                    sent = connection.socket.send(view)
                del unsent[:sent]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._hang_up(connection)
            return
        if len(unsent) > _UNREAD_BYTES_MAX:
            self._hang_up(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if unsent else 0)
        self._selector.modify(connection.socket, wanted, connection)

    def _hang_up(self, connection: _Connection) -> None:
        if self._connections.pop(connection.number, None) is not None:
            self._selector.unregister(connection.socket)
            connection.socket.close()
            self.broker.forget(connection.number)


def _listen(address: Path) -> socket.socket:
    """Return a socket that listens at `address`, in the place of one that a killed broker has left.

    The ledger's lock, which is held by now, says that there is no other broker on the same ledger.
    """
    address.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(FileNotFoundError):
        address.unlink()
    with short_address(address) as short:
        listener.bind(short)
    address.chmod(0o600)
    listener.listen(64)
    listener.setblocking(False)
    return listener
