"""The network between a client and the broker.

Where the broker tells its own address, it tells the proxy's, which is as long: a client that was given the proxy to
begin with never goes round it.
"""

import contextlib
import socket
import struct

from tests.network import Network

_LENGTH = struct.Struct(">I")
_HERE, _BROKER = [f"127.0.0.{number}" for number in range(2, 10)], "127.0.0.1"


class Proxy(Network):
    """A proxy to the broker at `address`, while it is entered; other processes may have proxies to the same one."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        assert host == _BROKER, f"{address} is not a broker of this machine"
        for here in _HERE:
            with contextlib.suppress(OSError):
                super().__init__((here, int(port)), lambda: socket.create_connection((host, int(port))))
                return
        raise OSError(f"all of {', '.join(_HERE)} have something at port {port}")

    def _pump(self, source: socket.socket, sink: socket.socket, is_server: bool) -> None:
        with contextlib.suppress(OSError, ValueError), source.makefile("rb") as frames:
            while len(head := frames.read(_LENGTH.size)) == _LENGTH.size:
                body = frames.read(_LENGTH.unpack(head)[0])
                self._pass(sink, head + (body.replace(_BROKER.encode(), self.host.encode()) if is_server else body))
        self._end(source, sink)
