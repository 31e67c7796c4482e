"""The kill switch: a file that the edge looks for right before it writes to a broker, and a heartbeat beside it.

It does not travel with orders, and needs no database: thrown, it holds from the next write on, through restarts, until
a person lifts it. One process, the central switch, says over sockets of its own that the switch is clear. Where that is
not heard for a second nothing goes out either, but nothing is latched: it goes on with the next beat. Cancels and
reduce-only orders pass.
"""

import contextlib
import os
import socket
import struct
import threading
from pathlib import Path

from banyan.clock import Clock
from banyan.sockets import short_address

BEAT_SECONDS = 0.2
SILENCE_NS_MAX = 1_000_000_000
_BEAT = struct.Struct("!q")  # the machine's monotonic ns when the switch was found clear


class KillSwitch:
    """The switch of one machine, latched in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_clear(self) -> bool:
        """Tell whether new orders may go out; where nobody can tell, they may not."""
        try:
            self._path.stat()
        except FileNotFoundError:
            return self._path.parent.is_dir()
        except OSError:
            return False
        return False

    def throw(self, reason: str) -> None:
        """Stop new orders. When this returns the switch is on the disk."""
        _make_folder(self._path.parent)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, reason.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        _sync(self._path.parent)

    def lift(self) -> bool:
        """Let new orders go out again; return whether the switch had been thrown."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        _sync(self._path.parent)
        return True

    def reason(self) -> str:
        """Return why the switch was thrown, "" where it was not."""
        try:
            return self._path.read_text().strip()
        except FileNotFoundError:
            return ""


class HeardSwitch:
    """The switch as an edge asks it: clear where the file says so, and the central switch has just said so too.

    It listens at the socket `name` in the folder `<path>.heard`, whose sockets the central switch beats to.
    """

    def __init__(self, path: Path, clock: Clock, *, name: str) -> None:
        self._latch = KillSwitch(path)
        self._clock = clock
        self._heard_ns: int | None = None
        folder = listeners(path)
        _make_folder(path.parent)
        _make_folder(folder)
        self._address = folder / name
        self._address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with short_address(self._address) as address:
            self._socket.bind(address)

    def is_clear(self) -> bool:
        """Tell whether new orders may go out."""
        with contextlib.suppress(BlockingIOError):
            while True:
                beat = self._socket.recv(64)
                if len(beat) == _BEAT.size:
                    # Its own time counts, not that of reading it: one that has lain here proves nothing.
                    self._heard_ns = max(self._heard_ns or 0, *_BEAT.unpack(beat))
        return self.is_heard() and self._latch.is_clear()

    def is_heard(self) -> bool:
        """Tell whether the central switch has been heard within the last second."""
        return self._heard_ns is not None and self._clock.monotonic_ns() - self._heard_ns <= SILENCE_NS_MAX

    def fileno(self) -> int:
        """Return what to select for reading."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._address.unlink(missing_ok=True)


class CentralSwitch:
    """The central switch as a worker: as long as it finds the switch clear it says so to every edge."""

    name = "switch"

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._latch = KillSwitch(path)
        self._clock = clock
        self._stopped = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Beat until `stop` is set."""
        _make_folder(self._path.parent)
        while not stop.is_set():
            self.beat()
            self._stopped.wait(BEAT_SECONDS)

    def wake(self) -> None:
        """Stop waiting for the next beat."""
        self._stopped.set()

    def beat(self) -> None:
        """Say once that the switch is clear, where it is."""
        if not self._latch.is_clear():
            return
        beat = _BEAT.pack(self._clock.monotonic_ns())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.setblocking(False)
            for address in listeners(self._path).glob("*"):
                try:
                    with short_address(address) as short:
                        speaker.sendto(beat, short)
                except ConnectionRefusedError:
                    address.unlink(missing_ok=True)  # whoever listened there has died
                except OSError:
                    continue  # one that does not read hears nothing, and stands still by itself


def listeners(path: Path) -> Path:
    """Return the folder with the sockets of those who listen to the switch in `path`."""
    return path.with_name(path.name + ".heard")


def _make_folder(folder: Path) -> None:
    """Make a folder that nobody else enters: who writes there could throw the switch, or say that it is clear."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
