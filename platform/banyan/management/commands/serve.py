"""`manage.py serve`: the console on this machine, ready to be opened."""

import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connections

from banyan import commands
from banyan.process import is_gone
from banyan.process.usage import end_with_parent
from banyan.standing import standings

_CONNECTIONS_MAX = 24
"""To each database, for all requests that are answered at once, and for the threads that keep theirs."""
_ACCOUNTS_SECONDS = 180.0
_ACCOUNTS_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 3
"""For a connection: then a page says what is away."""


class Command(commands.Command):
    """Migrate, make an administrator the first time, and serve by ASGI."""

    help = """Bring the databases up to date and serve the console. The first time it prints the password of `admin`.

With --sample it first loads the sample prices and, where there is no account yet, defines sample strategy sets, paper
accounts and a feed of real ticks; then it starts the pipeline (`manage.py run`) beside itself, unless one runs."""
    examples = """
  manage.py serve
  manage.py serve --sample
  manage.py serve --host 0.0.0.0 --port 8080"""
    when_stopped = "stopped by Ctrl-C"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address to listen on."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
        parser.add_argument("--sample", action="store_true", help="with sample data and a pipeline that trades on it")

    def run(self, **options: Any) -> None:
        """Serve until interrupted. Raises CommandError when the address is taken."""
        import uvicorn

        from banyan.heads import BoundedHeads

        address = (options["host"], options["port"])
        try:
            listener = listen(*address)
        except OSError as problem:
            raise CommandError(f"Cannot listen on {address[0]}:{address[1]}: {problem.strerror}. Try --port.") from None
        call_command("migrate", verbosity=0)
        password = make_first_administrator()
        if password is not None:
            self._tell(f"Administrator: admin, password: {password} (shown only now)")
        config = uvicorn.Config(
            "settings.asgi:application",
            http=BoundedHeads,
            lifespan="on",
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
        config.load()
        with self._sample_running() if options["sample"] else nullcontext(), _connections_shared():
            self._tell(f"Ready: http://{address[0]}:{address[1]}/ (Ctrl-C stops)")
            with suppress(KeyboardInterrupt):  # its way to say that it has stopped in order
                uvicorn.Server(config).run(sockets=[listener])

    @contextmanager
    def _sample_running(self) -> Iterator[None]:
        self._tell("Loading sample prices …")
        call_command("load_sample_data", stdout=self.stdout)
        call_command("load_sample_trading", stdout=self.stdout)
        if is_running():
            self._tell("A pipeline runs already: none is started.")
            self._wait_for_accounts()
            yield
            return
        self._tell("Starting the pipeline …")
        log = settings.DATA_DIR / "run.log"
        with log.open("ab") as written:
            command = [sys.executable, sys.argv[0], "run"]
            pipeline = subprocess.Popen(command, stdout=written, stderr=written, preexec_fn=end_with_parent)  # noqa: PLW1509
        try:
            self._wait_for_accounts(pipeline)
            yield
        finally:
            self._tell("Stopping the pipeline …")
            pipeline.send_signal(signal.SIGTERM)
            pipeline.wait(timeout=30)

    def _wait_for_accounts(self, pipeline: "subprocess.Popen[bytes] | None" = None) -> None:
        """Wait until accounts can be read, so that who is told that it is ready finds them; it serves in any case."""
        begun = time.monotonic()
        told = False
        while True:
            try:
                call_command("load_sample_trading", until_read=_ACCOUNTS_LOOK_SECONDS, stdout=self.stdout)
            except CommandError as problem:
                has_ended = pipeline is not None and pipeline.poll() is not None
                if has_ended or time.monotonic() - begun >= _ACCOUNTS_SECONDS:
                    self._tell(f"Not all is there: {problem}")
                    return
                if not told:
                    self._tell("Waiting until the accounts can be read: the first time all is compiled before …")
                    told = True
            else:
                return

    def _tell(self, text: str) -> None:
        self.say(text)
        self.stdout.flush()


def is_running() -> bool:
    """Tell whether a process that has not ended holds a key of a context."""
    keys = [key for context in standings().values() for key in context["keys"]]
    return any(key["is_held"] and not is_gone(key["owner"]) for key in keys)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the address, so that connections wait from now on. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    # Accepted sockets take it over: an answer in two writes would wait 40 ms for the acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def make_first_administrator() -> str | None:
    """Return the password of the user `admin` made now, or None where there is an administrator already."""
    users = get_user_model()._default_manager
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser("admin", password=password)
    return password


@contextmanager
def _connections_shared() -> Iterator[None]:
    """Keep connections for the next request: each has a thread of its own, and connecting would take the longest."""
    for connection in connections.all():
        connection.close()
        connection.settings_dict["OPTIONS"]["pool"] = {
                "min_size": 0, "max_size": _CONNECTIONS_MAX, "timeout": _PATIENCE_SECONDS,
            }  # fmt: skip
        connection.settings_dict["CONN_HEALTH_CHECKS"] = True
    try:
        yield
    finally:
        for connection in connections.all():
            pooled: Any = connection
            pooled.close()
            pooled.close_pool()
