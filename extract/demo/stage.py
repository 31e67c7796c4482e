"""The processes of the demonstration: the app, the service beside it, and the commands that people type."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SECONDS_MAX = 90.0


class DemoError(RuntimeError):
    """The demonstration did not come to its end; the message says what was waited for."""


class Place:
    """Where it runs: `environment` is that of the app, the service has the same without the app's databases."""

    def __init__(self, environment: dict[str, str], folder: Path, say: Callable[[str], None]) -> None:
        self._environment = environment
        self.folder = folder
        self._say = say
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def type(self, *arguments: str, shows: bool = True, may_fail: bool = False) -> str:
        """Type a command, show it and what it says, and return that."""
        if shows:
            self._say(f"$ manage.py {' '.join(_quoted(each) for each in arguments)}")
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        told = done.stdout + done.stderr
        if shows:
            for line in told.splitlines()[:40]:
                self._say(f"  {line}")
        if done.returncode and not may_fail:
            raise DemoError(f"manage.py {' '.join(arguments)}: exit {done.returncode}\n{told}")
        return done.stdout

    def status(self) -> dict[str, Any]:
        """Return how the context stands."""
        found: dict[str, Any] = json.loads(self.type("extract", "status", "risk", "--json", shows=False))
        return found

    def migrate_service(self) -> None:
        """Make the service's database."""
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, env=self._of_service(), check=True)

    def start(self, name: str, *program: str) -> None:
        """Start a process: "app" with the app's environment, any other with the service's."""
        environment = self._environment if name == "app" else self._of_service()
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen([sys.executable, *program], env=environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Kill a process as the machine would."""
        self._running[name].kill()
        self._running.pop(name).wait()

    def stop(self, name: str) -> None:
        """Stop a process as a person does."""
        process = self._running.pop(name)
        process.terminate()
        process.wait(timeout=60)

    def stop_all(self) -> None:
        """Stop what runs."""
        for name in list(self._running):
            self.stop(name)

    def wait(self, what: str, is_so: Callable[[], bool]) -> float:
        """Wait until something is so; return how many seconds that took. Raises DemoError."""
        began = time.monotonic()
        while not is_so():
            if time.monotonic() - began > _SECONDS_MAX:
                raise DemoError(f"{what} did not come about in {_SECONDS_MAX:.0f} s: see {self.folder}/*.log")
            time.sleep(0.2)
        return time.monotonic() - began

    def _of_service(self) -> dict[str, str]:
        given = {name: value for name, value in self._environment.items() if name != "DATABASE_URL"}
        return given | {"DJANGO_SETTINGS_MODULE": "settings.services.risk"}


def base_environment(folder: Path) -> dict[str, str]:
    """Return the environment of the demonstration's app, on its own databases and topics. Django must be set up."""
    from django.conf import settings

    from apps.demo.place import environment

    made = environment(folder)
    before, question, options = made["DATABASE_URL"].partition("?")
    return {
        **made,
        "RISK_SERVICE_DATABASE_URL": f"{before}_risk_service{question}{options}",
        "BANYAN_ENVIRONMENT": f"demo{os.getpid()}",
        "KAFKA_BOOTSTRAP": settings.KAFKA.server.start() if settings.KAFKA.server else settings.KAFKA.bootstrap,
        "KAFKA_COPIES": str(settings.KAFKA.copies),
        "PYTHONUNBUFFERED": "1",
    }


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
