"""A context as a service, as its operator runs it, beside a system whose topics are its own."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from urllib.error import HTTPError, URLError

from confluent_kafka.admin import AdminClient

from banyan.kafka import Cluster
from tests.fault.system import ROOT, System
from tests.patience import PATIENCE_SECONDS

OLDER_RISK = ("-m", "tests.fault.older_risk")
"""The service of risk, a version ago."""
_NUMBERS = itertools.count(1)


def join_kafka(system: System, kafka: Cluster, **databases: str) -> str:
    """Give a system topics of its own, and services of contexts databases; return how the topics begin."""
    name = f"t{os.getpid()}-f{next(_NUMBERS)}"
    before, question, options = system.environment["DATABASE_URL"].partition("?")
    system.environment |= {
        "BANYAN_ENVIRONMENT": name,
        "KAFKA_BOOTSTRAP": kafka.address(),
        "KAFKA_COPIES": "1",
        **{
            f"{context.upper()}_SERVICE_DATABASE_URL": f"{before}_{database}{question}{options}"
            for context, database in databases.items()
        },
    }
    return name


def delete_topics(kafka: Cluster, name: str) -> None:
    """Delete the topics of a system."""
    admin = AdminClient(kafka.options())
    ours = [topic for topic in admin.list_topics(timeout=PATIENCE_SECONDS).topics if topic.startswith(f"{name}.")]
    if ours:
        admin.delete_topics(ours)


class Service:
    """`python -m extract.<context>`, or a program that stands in for it, as its operator runs it."""

    def __init__(self, system: System, context: str = "risk", program: Sequence[str] = (), name: str = "") -> None:
        self._system = system
        self.context = context
        self.over: dict[str, str] = {}  # what is other for it than for the app
        self._program = tuple(program) or ("-m", f"extract.{context}")
        self._log = system.folder / f"{name or context}.log"
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def environment(self) -> dict[str, str]:
        """Return its variables, which do not have the app's databases."""
        given = {**self._system.environment, **self.over, "DJANGO_SETTINGS_MODULE": f"settings.services.{self.context}"}
        del given["DATABASE_URL"]
        return given

    def migrate(self) -> None:
        """Make its database."""
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=self.environment(), check=True)

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, *self._program, "--health", f"127.0.0.1:{self.port}"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment(), stdout=log, stderr=log)

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refused:
            return refused.code, refused.read().decode()
        except (URLError, OSError):
            return 0, ""

    def kill(self) -> None:
        assert self.process is not None
        self._system.others += 1
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Let it stand still, as a machine may, until it is woken."""
        assert self.process is not None
        self._system.others += 1
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        return self._log.read_text()


@contextlib.contextmanager
def started_again(system: System, service: Service) -> Iterator[list[int]]:
    """Run a service, and start it again whenever it was killed; yield the exit codes of those that were."""
    deaths: list[int] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            process = service.process
            assert process is not None
            if process.wait() == -signal.SIGKILL and not is_over.is_set():
                deaths.append(process.pid)
                service.start()
            is_over.wait(0.05)

    service.start()
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield deaths
    finally:
        is_over.set()
        system.others += len(deaths)
        service.end()
        watching.join()


def wait_until_ready(system: System, service: Service) -> None:
    system.wait_for(f"{service.context}'s readiness", lambda: service.ask("/ready")[0] == 200)


def wait_beside(system: System, service: Service) -> None:
    """Wait until a service that has just been started waits for the keys that another one holds."""
    system.wait_for("a service beside another", lambda: "it holds 0 of" in service.ask("/ready")[1])


def moved(system: System, action: str, what: str, *options: str) -> str:
    """Move a context, or one key of it, to another stage; return what was said.

    A side has a second to take a key. On a busy machine it may need more: then all stays as it was, and is tried again.
    """
    told = ""

    def has_moved() -> bool:
        nonlocal told
        told = system.tried("extract", action, what, *options)
        assert "(change " in told or any(each in told for each in _NOT_YET), told
        return "(change " in told

    system.wait_for(f"extract {action} {what}", has_moved)
    return told


_NOT_YET = ("has not taken it", "has not answered", "does not catch up", "see what is not so above")


def replace(system: System, old: Service, new: Service) -> None:
    """Replace a service as docs/extraction.md says: the new one waits, the old one ends in order, the new one takes."""
    new.start()
    wait_beside(system, new)
    assert old.ask("/ready")[0] == 200
    assert old.stop() == 0
    wait_until_ready(system, new)
