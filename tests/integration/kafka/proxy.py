"""The network between a client and the broker, in the test's hand: it may be slow, dead, or swallow everything.

It listens on another loopback address at the broker's port, and where the broker tells its own address, it tells the
proxy's, which is as long: a client that was given the proxy to begin with never goes round it.
"""

import contextlib
import socket
import struct
import threading
import time
from typing import Self

_LENGTH = struct.Struct(">I")
_HERE, _BROKER = "127.0.0.2", "127.0.0.1"


class Proxy:
    """A proxy to the broker at `address`, while it is entered."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        assert host == _BROKER, f"{address} is not a broker of this machine"
        self._broker = host, int(port)
        self.address = f"{_HERE}:{port}"
        self.delay_seconds = 0.0
        self._flows = threading.Event()
        self._flows.set()
        self._is_open = True
        self._refuses = False
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server((_HERE, int(port)))

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._flows.set()
        self._listener.close()
        self._hang_up()

    def cut(self) -> None:
        """End all connections, and take no new ones."""
        self._refuses = True
        self._hang_up()

    def swallow(self) -> None:
        """Let nothing through, and say so to nobody."""
        self._flows.clear()

    def mend(self) -> None:
        """Be a good network again."""
        self.delay_seconds, self._refuses = 0.0, False
        self._flows.set()

    def _hang_up(self) -> None:
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
                broker = socket.create_connection(self._broker)
            except OSError:
                client.close()
                continue
            self._connections += [client, broker]
            for one, other in ((client, broker), (broker, client)):
                threading.Thread(target=self._pump, args=(one, other, one is broker), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_broker: bool) -> None:
        with contextlib.suppress(OSError, ValueError), source.makefile("rb") as frames:
            while len(head := frames.read(_LENGTH.size)) == _LENGTH.size:
                body = frames.read(_LENGTH.unpack(head)[0])
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                self._flows.wait()
                sink.sendall(head + (body.replace(_BROKER.encode(), _HERE.encode()) if is_broker else body))
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
