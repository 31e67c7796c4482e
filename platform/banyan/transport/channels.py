"""The transport to hosts in processes of their own beside this one: one channel, a connected socket, for each key.

What is committed here goes into the channel at once. What does not fit into it, because its process is busy or away, is
left in the outbox, where its host finds it. The other way its process tells who it is and, where its context has two
sides, what the other one is to hear: what does not fit is in the log.
"""

import contextlib
import select
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from banyan.codec import decode_envelope, encode_envelope
from banyan.host import COMPARATOR, Delivery, Host, Place, bringing

_LENGTH = struct.Struct("<I")
_BUFFER_BYTES = 4 * 2**20
_READ_BYTES = 2**16
_POLL_MS = 200

_Passed = tuple[str, bytes, bytes, Place | None]
"""A delivery: receiver, envelope, message, place."""


class _Frame(msgspec.Struct, array_like=True):
    """What goes to a process: deliveries, (sender, key) to look for, whether a seed is wanted, and who else listens."""

    deliveries: list[_Passed] = msgspec.field(default_factory=list)
    woken: list[tuple[str, str]] = msgspec.field(default_factory=list)
    wants_seed: bool = False
    has_other_side: bool | None = None


class _Report(msgspec.Struct, array_like=True):
    """What comes from a process: who holds its leases, how its key is, and what is for the other side."""

    owner: str
    is_leading: bool | None = None
    is_astray: bool = False
    deliveries: list[_Passed] = msgspec.field(default_factory=list)


class Reported(msgspec.Struct, frozen=True):
    """What the process of a key has told: `is_leading` None where it does not say."""

    owner: str
    is_leading: bool | None
    is_astray: bool
    log: list[Delivery]
    compared: list[Delivery]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Frame)
_REPORTS = msgspec.msgpack.Decoder(_Report)


class Channels:
    """Stands here for the hosts of context `name` that are in processes of their own, each with one key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._channels: dict[str, _Channel] = {}
        self._lock = threading.Lock()
        self._has_other_side = False

    def join(self, key: str, channel: socket.socket) -> None:
        """Carry for `key` through `channel` from now on."""
        with self._lock:
            before = self._channels.get(key)
            made = self._channels[key] = _Channel(channel)
            if self._has_other_side:
                made.send(_ENCODER.encode(_Frame(has_other_side=True)))
        if before is not None:
            before.close()

    def leave(self, key: str, end: socket.socket) -> None:
        """Carry no longer through a channel at whose other end nobody is any more."""
        with self._lock:
            channel = self._channels.get(key)
            if channel is not None and channel.end is end:
                self._channels.pop(key).close()

    def ends(self) -> Mapping[str, socket.socket]:
        """Return our end of each channel."""
        with self._lock:
            return {key: channel.end for key, channel in self._channels.items()}

    def join_other_side(self, *, is_there: bool) -> None:
        """Let processes tell, from now on or no longer, what another side of their context is to hear."""
        with self._lock:
            self._has_other_side = is_there
            keys = list(self._channels)
        self._send({key: _Frame(has_other_side=is_there) for key in keys})

    def seed(self, keys: Iterable[str]) -> None:
        """Let the processes of those of the keys that lead tell all that it takes to follow them."""
        self._send({key: _Frame(wants_seed=True) for key in keys})

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Pass deliveries on, those that an outbox keeps; may be called by any thread."""
        frames: dict[str, _Frame] = defaultdict(_Frame)
        for each in deliveries:
            frames[each.envelope.key].deliveries.append(_passed(each))
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

    def _send(self, frames: Mapping[str, _Frame]) -> None:
        with self._lock:
            for key, frame in frames.items():
                channel = self._channels.get(key)
                if channel is not None and not channel.send(_ENCODER.encode(frame)):
                    self._channels.pop(key).close()


class _Channel:
    """A socket to which whole frames are written, and none is waited for."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self.end = connected
        self._rest = b""

    def send(self, frame: bytes) -> bool:
        """Send a frame, or leave it where there is no room; tell whether there is still somebody at the other end."""
        if self._rest:
            return self._write(self._rest) and (bool(self._rest) or self.send(frame))
        return self._write(_LENGTH.pack(len(frame)) + frame)

    def close(self) -> None:
        """Close the socket."""
        self.end.close()

    def _write(self, written: bytes) -> bool:
        try:
            self._rest = written[self.end.send(written, socket.MSG_DONTWAIT) :]
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True


class ChannelReader:
    """The worker that tells `hear` what the processes at the other ends of channels report, each by its key."""

    def __init__(self, channels: Channels, hear: Callable[[str, Reported], None]) -> None:
        self.name = f"{channels.name}-reports"
        self._channels = channels
        self._hear = hear
        self._read: dict[str, tuple[socket.socket, bytearray]] = {}

    def run(self, stop: threading.Event) -> None:
        """Read until `stop` is set; channels may come and go meanwhile."""
        while not stop.is_set():
            ends = self._channels.ends()
            before, self._read = self._read, {}
            for key, end in ends.items():
                known = before.get(key)
                self._read[key] = known if known is not None and known[0] is end else (end, bytearray())
            keys = {end.fileno(): key for key, end in ends.items()}
            poll = select.poll()
            for descriptor in keys.keys() - {-1}:
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll(_POLL_MS):
                self._take(keys[descriptor])

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _take(self, key: str) -> None:
        end, pieces = self._read[key]
        try:
            piece = end.recv(_BUFFER_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._channels.leave(key, end)
            return
        pieces += piece
        for frame in _taken_out(pieces):
            self._hear(key, _reported(frame))


class ChannelListener:
    """The worker that takes from a channel what `host` is offered, until the other end is closed, and reports there."""

    def __init__(self, host: Host[Any], channel: socket.socket) -> None:
        self.name = f"{host.context.name}-channel"
        self._host = host
        self._channel = channel
        self._back = _Channel(channel)
        self._lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set; set it once there is nobody at the other end."""
        self._report(_Report(self._host.owner))
        with self._channel:
            received = bytearray()
            while not stop.is_set() and (piece := self._channel.recv(_READ_BYTES)):
                received += piece
                with bringing():  # all that has come meanwhile, for one turn
                    for each in _taken_out(received):
                        self._take(_DECODER.decode(each))
        stop.set()

    def wake(self) -> None:
        """Return from waiting."""
        with contextlib.suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)

    def _take(self, frame: _Frame) -> None:
        self._host.offer(
            Delivery(name, decode_envelope(head), body, None, place) for name, head, body, place in frame.deliveries
        )
        self._host.look_for(frame.woken)
        if frame.has_other_side is not None:
            self._join_other_side(is_there=frame.has_other_side)
        if frame.wants_seed:
            self._host.seed(list(self._host.keys))

    def _join_other_side(self, *, is_there: bool) -> None:
        self._host.log = self._report_all if is_there else None
        self._host.compare = self._report_all if is_there else lambda _: None

    def _report_all(self, deliveries: Iterable[Delivery]) -> None:
        """Report what is for the other side, and how the key is since then."""
        for key, memory in list(self._host.keys.items()):
            theirs = [_passed(each) for each in deliveries if each.envelope.key == key]
            if theirs:
                self._report(_Report(self._host.owner, memory.is_leading, memory.is_astray, theirs))

    def _report(self, report: _Report) -> None:
        with self._lock:
            self._back.send(_ENCODER.encode(report))


def _taken_out(received: bytearray) -> Iterator[bytes]:
    """Take the whole frames out of what was received."""
    while len(received) >= _LENGTH.size and len(received) >= (whole := _LENGTH.size + _LENGTH.unpack_from(received)[0]):
        frame = bytes(received[_LENGTH.size : whole])
        del received[:whole]
        yield frame


def _passed(delivery: Delivery) -> _Passed:
    return delivery.receiver, encode_envelope(delivery.envelope), delivery.body, delivery.place


def _reported(frame: bytes) -> Reported:
    report = _REPORTS.decode(frame)
    deliveries = [
        Delivery(name, decode_envelope(head), body, None, place) for name, head, body, place in report.deliveries
    ]
    return Reported(
        report.owner,
        report.is_leading,
        report.is_astray,
        [each for each in deliveries if each.receiver != COMPARATOR],
        [each for each in deliveries if each.receiver == COMPARATOR],
    )
