"""What a process is in the middle of, written where the process that watches it can read it.

Code that may not come back (a strategy) is called between `begin` and `end`. Nothing is decided by what is written.
"""

import struct
from typing import Any

_HEAD = struct.Struct(
    "<qd"
)  # how often something was begun or ended (odd: in the middle), and for how long it may take
_PLACE, _REASON = slice(_HEAD.size, 1024), slice(1024, 4096)
SIZE = 4096


class Calls:
    """The calls of a process, on `memory` of at least SIZE bytes."""

    def __init__(self, memory: Any = None) -> None:
        self._memory = bytearray(SIZE) if memory is None else memory
        self._place = ""
        self._count = 0

    def move_to(self, memory: Any) -> None:
        """Write to `memory` from now on, such as one that is shared with another process."""
        self._memory, self._place, self._count = memory, "", 0

    def begin(self, place: str, seconds: float) -> None:
        """Say that the code at `place` is called, and is to return within `seconds`."""
        if place != self._place:
            self._write(_PLACE, place.encode())
            self._place = place
        self._count += 1
        _HEAD.pack_into(self._memory, 0, self._count, seconds)

    def end(self) -> None:
        """Say that it has come back."""
        self._count += 1
        _HEAD.pack_into(self._memory, 0, self._count, 0.0)

    def fail(self, reason: str) -> None:
        """Say why this process ends."""
        self._write(_REASON, reason.encode())

    @property
    def count(self) -> int:
        """How often something was begun or ended: odd in the middle of a call."""
        return int(_HEAD.unpack_from(self._memory, 0)[0])

    @property
    def seconds(self) -> float:
        """Within how many seconds the present call is to return."""
        return float(_HEAD.unpack_from(self._memory, 0)[1])

    @property
    def place(self) -> str:
        """What was called last."""
        return self._read(_PLACE)

    @property
    def reason(self) -> str:
        """Why the process ends, "" where it has not said."""
        return self._read(_REASON)

    def _write(self, where: slice, text: bytes) -> None:
        room = where.stop - where.start
        self._memory[where] = text[: room - 1].ljust(room, b"\0")

    def _read(self, where: slice) -> str:
        return bytes(self._memory[where]).partition(b"\0")[0].decode(errors="replace")


CALLS = Calls()
"""The calls of this process."""
