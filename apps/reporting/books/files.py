"""Files that are only appended to, each line once, whoever was killed while writing.

The last whole line of a file says how far it is: whoever appends looks at it first (again, where the file is another
or of another length than it was left), cuts off what is no whole line, and leaves out lines that are there already.
Nothing beside the file has to agree with it. Whoever writes has the directory of all files for itself meanwhile.
"""

import errno
import fcntl
import filecmp
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from apps.reporting.books.form import Portion, Position, header, position_of

_LOGGER = logging.getLogger(__name__)
_IN_THE_WAY = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EACCES, errno.EPERM)
_APPENDING = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_TAIL_BYTES = 4096
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")
_NAME_BYTES_MAX = 200
_PLAIN_NAME = re.compile(rf"(?!\.)[A-Za-z0-9_.-]{{1,{_NAME_BYTES_MAX}}}")
BEGINNING: Position = (0, 0, 0)


class BookFileError(RuntimeError):
    """A file or directory of the books is not what it must be; the message says which, and what to do."""


class _Seen(NamedTuple):
    """A file as it was left: which it was, how long, and the position of its last line."""

    inode: int
    size: int
    last: Position


class _AllSeen:
    """How all files were left, in few bytes each: there are two of every account.

    They are found by a hash of their paths. Of two with the same each is looked at again whenever the other was, since
    another file has another inode.
    """

    def __init__(self) -> None:
        self._row_of: dict[int, int] = {}
        self._rows = np.zeros((1024, 2 + len(BEGINNING)), np.int64)

    def __contains__(self, path: str) -> bool:
        return hash(path) in self._row_of

    def get(self, path: str) -> _Seen | None:
        """Return how a file was left, None where it is to be looked at."""
        row = self._row_of.get(hash(path))
        if row is None or not self._rows[row, 0]:
            return None
        inode, size, record, event, line = self._rows[row].tolist()
        return _Seen(inode, size, (record, event, line))

    def put(self, path: str, seen: _Seen) -> None:
        """Remember how a file is left."""
        row = self._row_of.setdefault(hash(path), len(self._row_of))
        if row == self._rows.shape[0]:
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._rows[row] = seen.inode, seen.size, *seen.last

    def doubt(self, path: str) -> None:
        """Have a file looked at that is known."""
        self._rows[self._row_of[hash(path)], 0] = 0

    def clear(self) -> None:
        """Know none."""
        self._row_of.clear()


class BookFiles:
    """The files below `root`, one directory per client and account. Several processes may append in turn."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen = _AllSeen()
        self._refused: set[str] = set()
        self._made: set[str] = set()
        """Directories of clients that were looked at, and their own."""

    def append(self, portions: Iterable[Portion]) -> int:
        """Append lines, which stand in the order of their positions, to their files; return how many were new.

        A file that cannot be written to is told of once and left out, so that it holds up nobody else's.
        """
        with self._alone():
            return sum(map(self._append_if_it_can_be, portions))

    def path(self, client: str, account: str, file: str) -> Path:
        """Return where a file of an account is."""
        return Path(self._path_of(client, account, file))

    def repair(self, path: Path, file: str) -> Position:
        """Cut off what is no whole line of a file; return the position of its last line."""
        with self._alone(), _opened(str(path)) as handle:
            return self._look(handle, str(path), file).last

    def touched(self, path: Path, file: str) -> Path:
        """Return the path of a file, made with its header alone where there is none."""
        self._make_directory(path)
        self.repair(path, file)
        return path

    def replace(self, path: Path, file: str, made: Path) -> bool:
        """Let the file `made` take the place of another, with what has been appended there beyond it meanwhile.

        Return whether the file was otherwise before. There is a whole file at any time.
        """
        self._make_directory(path)
        with self._alone(), _opened(str(path)) as handle, made.open("r+b") as new:
            self._look(handle, str(path), file)
            last = _whole(new.fileno(), new.seek(0, os.SEEK_END), file)[1]
            with path.open("rb") as old:
                beyond = [line for line in old if _beyond(line.decode("utf-8", "replace"), file, last)]
            new.seek(0, os.SEEK_END)
            new.writelines(beyond)
            new.flush()
            if filecmp.cmp(path, made, shallow=False):
                return False
            os.fsync(new.fileno())
            made.replace(path)
            return True

    def forget(self) -> None:
        """Look at every file again before the next line is written to it."""
        self._seen.clear()
        self._made.clear()

    def _path_of(self, client: str, account: str, file: str) -> str:
        return f"{self.root}/{directory_name(client)}/{directory_name(account)}/{file}.csv"

    def _append_if_it_can_be(self, portion: Portion) -> int:
        path = self._path_of(portion.owner.client, portion.owner.account, portion.file)
        try:
            count = self._append(path, portion)
        except OSError as problem:
            if problem.errno not in _IN_THE_WAY:
                raise
            self._refuse(path, portion, f"{problem.filename}: {problem.strerror}")
        except BookFileError as problem:
            self._refuse(path, portion, str(problem))
        else:
            self._refused.discard(path)
            return count
        return 0

    def _refuse(self, path: str, portion: Portion, problem: str) -> None:
        if path not in self._refused:
            remedy = f"manage.py books rebuild {portion.owner.account}"
            _LOGGER.error("%s is not written any more: %s; then `%s`", path, problem, remedy)
            self._refused.add(path)

    def _append(self, path: str, portion: Portion) -> int:
        if path not in self._seen:
            self._make_directory(Path(path))
        handle = os.open(path, _APPENDING, 0o600)
        try:
            seen = self._look(handle, path, portion.file)
            first, last = (tuple(portion.positions[at].tolist()) for at in (0, -1))
            new = portion if first > seen.last else portion.after(seen.last)
            if new.ends.size:
                self._seen.doubt(path)  # where writing fails, what is there is looked at again
                _write(handle, new.text.data)
                self._seen.put(path, _Seen(seen.inode, seen.size + new.text.size, last))
            return new.ends.size
        finally:
            os.close(handle)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Have all files for oneself, until the end."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _look(self, handle: int, path: str, file: str) -> _Seen:
        told = os.fstat(handle)
        seen = self._seen.get(path)
        if seen is None or (seen.inode, seen.size) != (told.st_ino, told.st_size):
            size, last = _whole(handle, told.st_size, file)
            seen = _Seen(told.st_ino, size, last)
            self._seen.put(path, seen)
        return seen

    def _make_directory(self, path: Path) -> None:
        of_many = self.root, path.parent.parent
        for directory in (*of_many, path.parent):
            if str(directory) in self._made:
                continue
            with suppress(FileExistsError):
                directory.mkdir(mode=0o700, parents=directory == self.root)
            told = directory.lstat()
            if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.geteuid():
                raise BookFileError(f"{directory} must be a directory of the user who runs this: move it away")
            if stat.S_IMODE(told.st_mode) != 0o700:
                directory.chmod(0o700)
            if directory in of_many:
                self._made.add(str(directory))


def directory_name(name: str) -> str:
    """Return the name of a directory for any name: no two have the same, and none leads out of its place.

    Letters, digits, `_`, `-` and `.` stay (no `.` at the beginning), other bytes become %XX. Names that would be too
    long end in `~` and a digest.
    """
    if _PLAIN_NAME.fullmatch(name):
        return name
    written = "".join(
        each if each in _PLAIN and not (each == "." and at == 0)
        else "".join(f"%{byte:02X}" for byte in each.encode("utf-8", "surrogatepass"))
        for at, each in enumerate(name)
    )  # fmt: skip
    if len(written) > _NAME_BYTES_MAX:
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return f"{written[: _NAME_BYTES_MAX - 33]}~{digest}"
    return written or "%"


def _whole(handle: int, size: int, file: str) -> tuple[int, Position]:
    """Cut a file back to its last whole line, begin it where there is none; return its size and last position."""
    begins = header(file).encode()
    if os.pread(handle, len(begins), 0) != begins:
        known = os.pread(handle, min(size, len(begins)), 0)
        if not begins.startswith(known):
            raise BookFileError(f"a {file} begins with {known[:40]!r}, not with its header: move it away")
        os.ftruncate(handle, 0)
        _write(handle, begins)
        return len(begins), BEGINNING
    end, last = size, BEGINNING
    while end > len(begins):
        begin, line = _line_before(handle, end, len(begins))
        position = position_of(line, file)
        if position is not None:
            last = position
            break
        end = begin
    if end < size:
        os.ftruncate(handle, end)
    return end, last


def _line_before(handle: int, end: int, floor: int) -> tuple[int, str]:
    """Return where the last line before `end` begins, not before `floor`, and the line."""
    reach = _TAIL_BYTES
    while True:
        begin = max(floor, end - reach)
        tail = os.pread(handle, end - begin, begin)
        at = tail.rfind(b"\n", 0, len(tail) - 1)
        if at >= 0 or begin == floor:
            return begin + at + 1, tail[at + 1 :].decode("utf-8", "replace")
        reach *= 4


def _beyond(line: str, file: str, last: Position) -> bool:
    position = position_of(line, file)
    return position is not None and position > last


@contextmanager
def _opened(path: str) -> Iterator[int]:
    """Open a file for appending, made where there is none."""
    handle = os.open(path, _APPENDING, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def _write(handle: int, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
