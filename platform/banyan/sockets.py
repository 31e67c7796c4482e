"""Addresses of Unix sockets: they hold few bytes, and folders that people choose may be deep."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BYTES_MAX = 107
"""What fits into sockaddr_un.sun_path on Linux, with the zero at its end."""


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """Yield an address that binds or connects to the socket at `path`, however long that is.

    A long one leads through its open folder, so it holds within the block only. Raises OSError where the folder is
    missing.
    """
    if len(os.fsencode(path)) <= _BYTES_MAX:
        yield os.fspath(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
