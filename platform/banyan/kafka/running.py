"""Programs of our own that stay up between commands: how they are locked, found, run and ended."""

import contextlib
import fcntl
import itertools
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_PORTS = range(20_000, 32_000)
_FREE_SECONDS_MAX = 3.0
STOP_SECONDS_MAX = 30.0


class KafkaError(RuntimeError):
    """Kafka cannot be used here; the message says why and what to do."""


def answers(address: str) -> bool:
    """Tell whether something listens at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2.0):
            return True
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Tell whether nothing listens at a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def come_free(ports: list[int]) -> bool:
    """Tell whether ports are free, once threads of a killed broker have had the time to let go of them."""
    end = time.monotonic() + _FREE_SECONDS_MAX
    while not all(map(is_free, ports)):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def free_ports(count: int) -> list[int]:
    """Return ports that no connection of a client is given: such a one could hold ours when we start again."""
    return list(itertools.islice(filter(is_free, random.sample(_PORTS, k=200)), count))


def end(pid: int) -> None:
    """End a process in order, or by force where it does not."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not wait_until_gone(pid, STOP_SECONDS_MAX):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until_gone(pid, STOP_SECONDS_MAX)


def wait_until_gone(pid: int, seconds: float) -> bool:
    """Wait for a process that may be a child of ours or not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if not any(command_of(pid)):
            return True
        time.sleep(0.02)
    return False


def command_of(pid: int) -> list[bytes]:
    """Return the words that a process was started with: none where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def run(*command: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, its errors among what it says."""
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip


def write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody ever sees a part of it."""
    written = path.with_name(f".{path.name}.new")
    written.write_text(text)
    written.rename(path)


def tail(text: str) -> str:
    """Return the last lines of what a program has said."""
    return "\n".join(text.strip().splitlines()[-15:])


def lock_path(directory: Path) -> Path:
    """Return the file whose lock stands for a folder."""
    return directory.with_name(f".{directory.name}.lock")


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock on a folder's making and what runs from it; the kernel frees it if this process dies."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        file = lock_path(directory).open("a")
    except OSError as problem:
        raise KafkaError(
            f"Cannot write beside {directory} ({problem.strerror}). Set BANYAN_DATA_DIR to a folder of your own."
        ) from problem
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
