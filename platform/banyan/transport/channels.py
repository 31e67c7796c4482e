"""The transport to hosts in processes of their own beside this one: one channel, a connected socket, for each key.

What is committed here goes into the channel at once. What does not fit into it, because its process is busy or away, is
left in the outbox, where its host finds it.
"""

import contextlib
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from banyan.codec import decode_envelope, encode_envelope
from banyan.host import Delivery, Host, Place

_LENGTH = struct.Struct("<I")
_BUFFER_BYTES = 4 * 2**20


class _Frame(msgspec.Struct, array_like=True):
    """What goes through a channel: deliveries (receiver, envelope, message, place), and (sender, key) to look for."""

    deliveries: list[tuple[str, bytes, bytes, Place | None]] = msgspec.field(default_factory=list)
    woken: list[tuple[str, str]] = msgspec.field(default_factory=list)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Frame)


class Channels:
    """Stands here for the hosts of context `name` that are in processes of their own, each with one key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._channels: dict[str, _Channel] = {}
        self._lock = threading.Lock()

    def join(self, key: str, channel: socket.socket) -> None:
        """Carry for `key` through `channel` from now on."""
        with self._lock:
            before = self._channels.get(key)
            self._channels[key] = _Channel(channel)
        if before is not None:
            before.close()

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Pass deliveries on, those that an outbox keeps; may be called by any thread."""
        frames: dict[str, _Frame] = defaultdict(_Frame)
        for each in deliveries:
            frames[each.envelope.key].deliveries.append(
                (each.receiver, encode_envelope(each.envelope), each.body, each.place)
            )
        self._send(frames)

    def look_for(self, woken: Iterable[tuple[str, str]]) -> None:
        """Tell hosts what waits elsewhere: (sender, key) of each, the sender of commands being ""."""
        frames: dict[str, _Frame] = defaultdict(_Frame)
        for sender, key in woken:
            frames[key].woken.append((sender, key))
        self._send(frames)

    def close(self) -> None:
        """Close all channels: the processes at their other ends stop."""
        with self._lock:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()

    def _send(self, frames: dict[str, _Frame]) -> None:
        with self._lock:
            for key, frame in frames.items():
                channel = self._channels.get(key)
                if channel is not None and not channel.send(_ENCODER.encode(frame)):
                    self._channels.pop(key).close()


class _Channel:
    """A socket to which whole frames are written, and none is waited for."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._socket = connected
        self._rest = b""

    def send(self, frame: bytes) -> bool:
        """Send a frame, or leave it where there is no room; tell whether there is still somebody at the other end."""
        if self._rest:
            return self._write(self._rest) and (bool(self._rest) or self.send(frame))
        return self._write(_LENGTH.pack(len(frame)) + frame)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _write(self, written: bytes) -> bool:
        try:
            self._rest = written[self._socket.send(written, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


class ChannelListener:
    """The worker that takes from a channel what `host` is offered, until the other end is closed."""

    def __init__(self, host: Host[Any], channel: socket.socket) -> None:
        self.name = f"{host.context.name}-channel"
        self._host = host
        self._channel = channel

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set; set it once there is nobody at the other end."""
        with self._channel, self._channel.makefile("rb") as file:
            while not stop.is_set():
                head = file.read(_LENGTH.size)
                body = file.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
                if not body:
                    break
                frame = _DECODER.decode(body)
                self._host.offer(
                    Delivery(name, decode_envelope(head), body, None, place)
                    for name, head, body, place in frame.deliveries
                )
                self._host.look_for(frame.woken)
        stop.set()

    def wake(self) -> None:
        """Return from waiting."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
