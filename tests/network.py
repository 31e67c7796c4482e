"""A network in the test's hand: it may be slow, dead, swallow everything, or lose the answer to a commit."""

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import IO, Self

_AT_ONCE = 65_536
_RESET = struct.pack("ii", 1, 0)


class Network:
    """What is between clients, who connect to `here`, and a server that `connect` reaches, while it is entered."""

    def __init__(self, here: tuple[str, int], connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self.delay_seconds = 0.0
        self._flows = threading.Event()
        self._flows.set()
        self._is_open = True
        self._refuses = False
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(here)
        self.host, self.port = self._listener.getsockname()
        self.address = f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._flows.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # a thread that accepts would keep it open, and its address taken
        self._listener.close()
        self.hang_up()

    def cut(self) -> None:
        """End all connections, and take no new ones."""
        self._refuses = True
        self.hang_up()

    def swallow(self) -> None:
        """Let nothing through, and say so to nobody."""
        self._flows.clear()

    def mend(self) -> None:
        """Be a good network again."""
        self.delay_seconds, self._refuses = 0.0, False
        self._flows.set()

    def hang_up(self) -> None:
        """End all connections."""
        connections, self._connections = self._connections, []
        for each in connections:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while self._is_open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refuses:
                client.close()
                continue
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            self._connections += [client, server]
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other, one is server), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_server: bool) -> None:
        """Pass on what comes from one end to the other, to the end."""
        with contextlib.suppress(OSError):
            while data := source.recv(_AT_ONCE):
                self._pass(sink, data)
        self._end(source, sink)

    def _pass(self, sink: socket.socket, data: bytes) -> None:
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        self._flows.wait()
        sink.sendall(data)

    def _end(self, *ends: socket.socket) -> None:
        for each in ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


BEFORE, AFTER = "before", "after"
"""When a connection is reset in the middle of a commit: before the server has heard of it, or after it was done."""


class DatabaseNetwork(Network):
    """What is between clients without TLS and PostgreSQL. `loses` is asked at each commit: "", BEFORE or AFTER.

    A commit is a statement that writes one of the `tables`, or COMMIT itself; `lost` counts.
    """

    def __init__(self, connect: Callable[[], socket.socket], tables: tuple[str, ...] = ("banyan_log",)) -> None:
        super().__init__(("127.0.0.1", 0), connect)
        self._tables = tuple(f"INSERT INTO {each}".encode() for each in tables)
        self.loses: Callable[[], str] = lambda: ""
        self.lost: Counter[str] = Counter()
        self._forgets: set[socket.socket] = set()

    def url(self, url: str) -> str:
        """Return the URL of a database on the server as it is reached through here."""
        before, _, _ = url.partition("?")
        scheme, _, rest = before.partition("://")
        user, _, place = rest.partition("@")
        name = place.rpartition("/")[2]
        return f"{scheme}://{user}@{self.address}/{name}?sslmode=disable&gssencmode=disable"

    def _pump(self, source: socket.socket, sink: socket.socket, is_server: bool) -> None:
        if not is_server:
            with contextlib.suppress(OSError, ValueError, struct.error), source.makefile("rb") as frames:
                self._hear(frames, source, sink)
            self._end(source, sink)
            return
        with contextlib.suppress(OSError):
            while data := source.recv(_AT_ONCE):
                if source in self._forgets:
                    self.lost[AFTER] += 1
                    self._reset(sink, source)
                    break
                self._pass(sink, data)
        self._end(source, sink)

    def _hear(self, frames: IO[bytes], client: socket.socket, server: socket.socket) -> None:
        """Pass on what a client says, message by message, up to a commit that is not to be heard."""
        writers: set[bytes] = set()
        (length,) = struct.unpack(">I", head := frames.read(4))
        self._pass(server, head + frames.read(length - 4))  # who it is
        while len(head := frames.read(5)) == 5:
            body = frames.read(struct.unpack(">I", head[1:])[0] - 4)
            if self._is_commit(head[:1], body, writers):
                when = self.loses()
                if when == BEFORE:
                    self.lost[BEFORE] += 1
                    self._reset(client, server)
                    return
                if when == AFTER:
                    self._forgets.add(server)
            self._pass(server, head + body)

    def _is_commit(self, kind: bytes, body: bytes, writers: set[bytes]) -> bool:
        match kind:
            case b"P":  # a statement is prepared, under a name or none
                name, _, text = body.partition(b"\0")
                is_writer = any(each in text for each in self._tables) or text.startswith(b"COMMIT")
                (writers.add if is_writer else writers.discard)(name)
                return False
            case b"B":  # and called
                return body.split(b"\0", 2)[1] in writers
            case b"Q":
                return body.startswith(b"COMMIT")
        return False

    def _reset(self, *ends: socket.socket) -> None:
        for each in ends:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                each.shutdown(socket.SHUT_RD)
            each.close()
