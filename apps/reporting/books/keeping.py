"""The books on the disk as a reader of execution's log.

Lines are appended first and the mark moves after; whoever dies in between appends what is not there yet. Files are
given to the disk at the start and every few minutes, never at the end, which must not take long: after the machine
itself went down, reading begins where that was done last.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg

from apps.reporting.books.files import BookFileError, BookFiles
from apps.reporting.books.form import COLUMNS, Known, Owner
from apps.reporting.books.lines import chunks_of
from apps.reporting.books.portions import Sheaf
from apps.reporting.books.register import Register
from apps.reporting.following import Read, Taker, marks_of
from apps.reporting.marks import MarkMove, move_marks, put_marks
from apps.reporting.sources import Source, check_whole

READER = "books"
ON_DISK = "books-synced"
SYNC_SECONDS = 600.0
_SHADOW = ".rebuilt"
_BYTES_AT_A_TIME = 16_000_000
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Known)


class BooksKeeper(Taker):
    """Appends what execution's log says to the files below `root`.

    `boot` names this run of the machine, `give_way` is called every few files.
    """

    reader = READER

    def __init__(
        self, root: Path, boot: str, monotonic: Callable[[], float] = time.monotonic,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._files = BookFiles(root)
        self._boot = boot
        self._monotonic = monotonic
        self._give_way = give_way
        self._registers: dict[str, Register] = {}
        self._synced_at = 0.0

    def begin(self, connection: "psycopg.Connection[Any]") -> None:
        """Cut off what was not written to the end, and read on from what is on the disk if the machine went down."""
        with connection.transaction(), connection.cursor() as cursor:
            kept = {shard: bytes(known) for shard, known in cursor.execute("SELECT * FROM reporting_bookstate")}
            boot = kept.pop("", self._boot.encode()).decode()
            if boot != self._boot:
                put_marks(cursor, READER, marks_of(connection, ON_DISK))
            _keep(cursor, "", self._boot.encode())
        self._registers = {shard: Register(_DECODER.decode(known)) for shard, known in kept.items()}
        for owner in self._owners():
            for file in COLUMNS:
                path = self._files.path(owner.client, owner.account, file)
                if path.exists():
                    with contextlib.suppress(BookFileError, OSError):  # whoever appends tells of it
                        self._files.repair(path, file)
        self._sync(connection)

    def take(self, connection: "psycopg.Connection[Any]", read: Read, marks: Sequence[MarkMove]) -> None:
        """Append the lines of some records, then move the marks."""
        changed: set[str] = set()
        sheaf = Sheaf(self._files, give_way=self._give_way)
        for _, step in read:
            self._give_way()
            register = self._registers.setdefault(step.key, Register())
            chunks, has_learned = chunks_of(register, step)
            sheaf.add(register, chunks)
            changed |= {step.key} if has_learned else set()
        sheaf.append()
        with connection.transaction(), connection.cursor() as cursor:
            move_marks(cursor, READER, marks)
            for shard in sorted(changed):
                _keep(cursor, shard, _ENCODER.encode(self._registers[shard].known))
        if self._monotonic() - self._synced_at >= SYNC_SECONDS:
            self._sync(connection)

    def forget(self) -> None:
        """Know nothing any more."""
        self._files.forget()
        self._registers.clear()

    def end(self, connection: "psycopg.Connection[Any]") -> None:
        """Leave everything as it is: whoever reads on looks at the files first."""

    def _sync(self, connection: "psycopg.Connection[Any]") -> None:
        """Give all files to the disk, and remember how far they are."""
        marks = marks_of(connection, READER)
        self._give_way()
        os.sync()
        with connection.transaction(), connection.cursor() as cursor:
            put_marks(cursor, ON_DISK, marks)
        self._synced_at = self._monotonic()

    def _owners(self) -> list[Owner]:
        return [owner for each in self._registers.values() for owner in each.known.accounts.values()]


class Rebuilt(NamedTuple):
    """How many files were built again, and which of them were otherwise before."""

    files: int
    different: list[Path]


def rebuild(source: Source, root: Path, accounts: Sequence[str] = ()) -> Rebuilt:
    """Build files again from a log, of all accounts or of some, beside whoever appends to them.

    Each file is replaced when the new one is whole, so there is a file at any time. Raises LogError where the log has
    lost its beginning.
    """
    check_whole([source])
    shadow_root = root / _SHADOW
    shutil.rmtree(shadow_root, ignore_errors=True)
    files, shadow = BookFiles(root), BookFiles(shadow_root)
    registers: list[Register] = []
    for key, head in sorted(source.heads().items()):
        register = Register()
        sheaf = Sheaf(shadow, frozenset(accounts))
        for step in source.steps(key, 0, head):
            sheaf.add(register, chunks_of(register, step)[0])
            if sheaf.size > _BYTES_AT_A_TIME:
                sheaf.append()
        sheaf.append()
        registers.append(register)
    count, different = 0, []
    for owner in (owner for each in registers for owner in each.known.accounts.values()):
        if accounts and owner.account not in accounts:
            continue
        for file in COLUMNS:
            path, made = (each.path(owner.client, owner.account, file) for each in (files, shadow))
            if not (path.exists() or made.exists()):
                continue
            count += 1
            if files.replace(path, file, shadow.touched(made, file)):
                different.append(path)
    shutil.rmtree(shadow_root, ignore_errors=True)
    return Rebuilt(count, different)


def _keep(cursor: Any, shard: str, known: bytes) -> None:
    cursor.execute(
        "INSERT INTO reporting_bookstate (shard, known) VALUES (%s, %s) "
        "ON CONFLICT (shard) DO UPDATE SET known = EXCLUDED.known",
        [shard, known],
    )
