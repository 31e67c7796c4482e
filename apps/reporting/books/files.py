"""Files that are only appended to, each line once, whoever was killed while writing.

The last whole line of a file says how far it is: whoever appends looks at it first (again, where the file is another
or of another length than it was left), cuts off what is no whole line, and leaves out lines that are there already.
Nothing beside the file has to agree with it.
"""

import errno
import fcntl
import filecmp
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from apps.reporting.books.lines import Line, Position, header, position_of

_LOGGER = logging.getLogger(__name__)
_IN_THE_WAY = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EACCES, errno.EPERM)
_TAIL_BYTES = 4096
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")
_NAME_BYTES_MAX = 200
BEGINNING: Position = (0, 0, 0)


class BookFileError(RuntimeError):
    """A file or directory of the books is not what it must be; the message says which, and what to do."""


class _Seen(NamedTuple):
    """A file as it was left: which it was, how long, and the position of its last line."""

    inode: int
    size: int
    last: Position


class BookFiles:
    """The files below `root`, one directory per client and account. Several processes may append at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: dict[Path, _Seen] = {}
        self._refused: set[Path] = set()
        self._paths: dict[tuple[str, str, str], Path] = {}

    def append(self, lines: Sequence[Line]) -> int:
        """Append lines, which stand in the order of their positions, to their files; return how many were new.

        A file that cannot be written to is told of once and left out, so that it holds up nobody else's.
        """
        by_file: dict[Path, list[Line]] = {}
        for line in lines:
            by_file.setdefault(self._path_of(line), []).append(line)
        return sum(self._append_if_it_can_be(path, theirs) for path, theirs in by_file.items())

    def path(self, client: str, account: str, file: str) -> Path:
        """Return where a file of an account is."""
        return self.root / directory_name(client) / directory_name(account) / f"{file}.csv"

    def repair(self, path: Path, file: str) -> Position:
        """Cut off what is no whole line of a file; return the position of its last line."""
        with self._locked(path) as handle:
            return self._look(handle, path, file).last

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
        with self._locked(path) as handle, made.open("r+b") as new:
            self._look(handle, path, file)
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

    def _path_of(self, line: Line) -> Path:
        owner = line.owner
        known = self._paths.get((owner.client, owner.account, line.file))
        if known is None:
            known = self.path(owner.client, owner.account, line.file)
            self._paths[owner.client, owner.account, line.file] = known
        return known

    def _append_if_it_can_be(self, path: Path, lines: Sequence[Line]) -> int:
        try:
            count = self._append(path, lines)
        except OSError as problem:
            if problem.errno not in _IN_THE_WAY:
                raise
            self._refuse(path, lines[0], f"{problem.filename}: {problem.strerror}")
        except BookFileError as problem:
            self._refuse(path, lines[0], str(problem))
        else:
            self._refused.discard(path)
            return count
        return 0

    def _refuse(self, path: Path, line: Line, problem: str) -> None:
        if path not in self._refused:
            remedy = f"manage.py books rebuild {line.owner.account}"
            _LOGGER.error("%s is not written any more: %s; then `%s`", path, problem, remedy)
            self._refused.add(path)

    def _append(self, path: Path, lines: Sequence[Line]) -> int:
        file = lines[0].file
        if path not in self._seen:
            self._make_directory(path)
        with self._locked(path) as handle:
            seen = self._look(handle, path, file)
            new = [line for line in lines if line.position > seen.last]
            if new:
                text = "".join(line.text for line in new).encode()
                del self._seen[path]  # where writing fails, what is there is looked at again
                _write(handle, text)
                self._seen[path] = _Seen(seen.inode, seen.size + len(text), new[-1].position)
        return len(new)

    @contextmanager
    def _locked(self, path: Path) -> Iterator[int]:
        """Open a file for appending, made where there is none, alone until the end."""
        while True:
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if _is_at(handle, path):
                    yield handle
                    return
            finally:
                os.close(handle)

    def _look(self, handle: int, path: Path, file: str) -> _Seen:
        told = os.fstat(handle)
        seen = self._seen.get(path)
        if seen is None or (seen.inode, seen.size) != (told.st_ino, told.st_size):
            size, last = _whole(handle, told.st_size, file)
            seen = self._seen[path] = _Seen(told.st_ino, size, last)
        return seen

    def _make_directory(self, path: Path) -> None:
        for directory in (self.root, path.parent.parent, path.parent):
            directory.mkdir(mode=0o700, parents=directory == self.root, exist_ok=True)
            told = directory.lstat()
            if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.geteuid():
                raise BookFileError(f"{directory} must be a directory of the user who runs this: move it away")
            if stat.S_IMODE(told.st_mode) != 0o700:
                directory.chmod(0o700)


def directory_name(name: str) -> str:
    """Return the name of a directory for any name: no two have the same, and none leads out of its place.

    Letters, digits, `_`, `-` and `.` stay (no `.` at the beginning), other bytes become %XX. Names that would be too
    long end in `~` and a digest.
    """
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


def _is_at(handle: int, path: Path) -> bool:
    """Tell whether a file that was opened is the one at `path` still, and not one that was replaced meanwhile."""
    try:
        told = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (told.st_ino, told.st_dev) == ((mine := os.fstat(handle)).st_ino, mine.st_dev)


def _write(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
