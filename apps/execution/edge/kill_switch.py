"""The kill switch: a file that the edge looks for right before it writes to a broker.

It does not travel with orders, and needs no database and no other process: thrown, it holds from the next write on,
through restarts, until a person lifts it. Cancels and reduce-only orders pass.
"""

import os
from pathlib import Path


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
        self._path.parent.mkdir(parents=True, exist_ok=True)
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


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
