"""Notices between the processes of one machine: datagrams to those who listen in a database, past its server.

Who listens has a socket in a folder that stands for the database. It listens to the server as well, where it holds a
lock that names its folder: whoever sees locks of other folders (of another machine, container or user) tells by the
server too. So does who finds a socket full. What is lost nevertheless is found by polling.
"""

import itertools
import os
import secrets
import select
import socket
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg

from banyan.machine import boot_name
from banyan.sockets import short_address
from banyan.store.notices import CHANNEL

_LOCKS = 0x42414E59  # the class of the advisory locks
_LOOK_SECONDS = 1.0
_BYTES_MAX = 2**16
_LISTEN = "SELECT pg_advisory_lock_shared(%s, %s)"
_OTHERS = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid <> %s AND objsubid = 2 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
_NUMBERS = itertools.count()


class Nearby:
    """Those who listen in the database of one connection. Not for several threads at once."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.connection = connection
        self._folder = _folder_of(connection)
        self._name = _name_of(self._folder)
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)
        self._bell: socket.socket | None = None
        self._path: Path | None = None
        self._looked = -_LOOK_SECONDS
        self._has_others = True

    def tell(self, texts: Sequence[bytes]) -> int:
        """Tell all in this folder, in order; return how many of the texts all have got."""
        if self._folder is None:
            return 0
        told = len(texts)
        try:
            for path in self._folder.iterdir():
                told = min(told, self._tell(texts, path))
        except FileNotFoundError:  # somebody has tidied up
            return 0
        return told

    def has_others(self) -> bool:
        """Tell whether somebody listens who has no socket in this folder, as of a second ago at most."""
        if monotonic() - self._looked >= _LOOK_SECONDS:
            self._looked = monotonic()
            row = self.connection.execute(_OTHERS, [_LOCKS, self._name]).fetchone()
            self._has_others = bool(row and row[0])
        return self._has_others

    def heard(self, seconds: float) -> list[bytes]:
        """Wait until something is told, `seconds` at most, and return it. The first call begins, and does not wait."""
        if self._bell is None:
            self._bell, self._path = _bell_in(self._folder)
            name = self._name if self._path is not None else _name_of(None)
            self.connection.execute(_LISTEN, [_LOCKS, name])
            self.connection.execute(f"LISTEN {CHANNEL}")
            return []
        server = self.connection.pgconn
        bell = self._bell.fileno()
        ready, _, _ = select.select([bell, server.socket], [], [], seconds)
        heard: list[bytes] = []
        with suppress(BlockingIOError):
            while True:
                heard.append(self._bell.recv(_BYTES_MAX))
        if server.socket in ready:
            server.consume_input()
            while (notify := server.notifies()) is not None:
                heard.append(notify.extra)
        if not ready and self._path is not None and not self._path.exists():  # somebody has tidied up
            self._bell.close()
            self._bell, self._path = _bell_in(_folder_of(self.connection))
        return heard

    def has_more(self) -> bool:
        """Tell whether something was told that has not been heard yet."""
        return self._bell is not None and bool(select.select([self._bell], [], [], 0)[0])

    def close(self) -> None:
        """Listen no longer."""
        self._sender.close()
        if self._bell is not None:
            self._bell.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _tell(self, texts: Sequence[bytes], path: Path) -> int:
        with short_address(path) as address:
            for place, text in enumerate(texts):
                try:
                    self._sender.sendto(text, address)
                except ConnectionRefusedError:  # its process was killed
                    path.unlink(missing_ok=True)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    return place
        return len(texts)


def _bell_in(folder: Path | None) -> tuple[socket.socket, Path | None]:
    """Return a socket, and where in the folder it is; None: nowhere, so that only the server tells."""
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.setblocking(False)
    if folder is None:
        return bell, None
    path = folder / f"{os.getpid()}-{next(_NUMBERS)}"
    try:
        with short_address(path) as address:
            bell.bind(address)
    except OSError:
        return bell, None
    return bell, path


def _folder_of(connection: "psycopg.Connection[Any]") -> Path | None:
    """Return the folder of a database on this machine; None: there cannot be one that nobody else writes to."""
    info = connection.info
    database = blake2b(f"{info.host}:{info.port}/{info.dbname}".encode(), digest_size=6).hexdigest()
    own = Path(tempfile.gettempdir()) / f"banyan-notices-{os.getuid()}"
    try:
        own.mkdir(mode=0o700, exist_ok=True)
        found = own.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            return None
        (own / database).mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return own / database


def _name_of(folder: Path | None) -> int:
    """Return a number that only this folder of this machine has; without one, a number that nobody else has."""
    if folder is None:
        return secrets.randbits(31)
    found = folder.stat()
    place = f"{boot_name()}/{found.st_dev}/{found.st_ino}"
    return int.from_bytes(blake2b(place.encode(), digest_size=4).digest(), "big") >> 1
