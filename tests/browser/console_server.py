"""The console as a person starts it: processes of its own, on data of its own, which can be killed and started anew."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from banyan.embedded import EmbeddedServer
from tests.integration.test_serve import ROOT, free_port
from tests.patience import PATIENCE_SECONDS
from trading.compiled import data_directory


class ConsoleServer:
    """`manage.py serve --sample` in `folder`."""

    def __init__(self, folder: Path, shards: int = 2) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.password = ""
        self._folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
        self._environment = inherited | {
            "BANYAN_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "settings.dev", "BANYAN_SHARDS": str(shards),
            "BANYAN_POSTGRES_DIR": str(folder / "postgres"), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        (folder / "kernels").symlink_to(_made(data_directory() / "kernels"))
        self._processes: list[subprocess.Popen[str]] = []
        self._main: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> None:
        """Start it, and wait until it says that it is ready."""
        self._main = self._serve(self.port, *arguments)

    def serve_beside(self) -> tuple[int, "subprocess.Popen[str]"]:
        """Serve the same once more; return the port, and the process."""
        port = free_port()
        return port, self._serve(port)

    def _serve(self, port: int, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", "serve", "--port", str(port), *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._processes.append(process)
        assert process.stdout is not None
        limit = threading.Timer(PATIENCE_SECONDS, process.kill)
        limit.start()
        printed = []
        for line in process.stdout:
            printed.append(line)
            if found := re.search(r"password: (\S+)", line):
                self.password = found.group(1)
            if line.startswith("Ready"):
                break
        limit.cancel()
        assert process.poll() is None, "".join(printed)
        threading.Thread(target=process.stdout.read, daemon=True).start()
        return process

    def kill(self) -> None:
        """Kill what `start` started last, and nothing else: a pipeline of its own goes on or ends by itself."""
        assert self._main is not None
        self._main.kill()
        self._main.wait()

    def manage(self, *arguments: str) -> str:
        """Run a command there; return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self) -> None:
        """Run the pipeline beside it, until everything is stopped."""
        with (self._folder / "run.log").open("ab") as log:
            command = [sys.executable, "manage.py", "run"]
            process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log, text=True)
        self._processes.append(process)

    def hand_in_a_bar(self) -> None:
        """Let a bar of OANDA:EURUSD close, which changes what every account of a history is to hold."""
        command = [sys.executable, "-m", "tests.benchmarks.bar"]
        subprocess.run(command, cwd=ROOT, env=self._environment | {"PYTHONPATH": str(ROOT)}, check=True)

    def stop(self) -> None:
        """End everything, and remove the database."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=PATIENCE_SECONDS)
        self._processes.clear()
        EmbeddedServer(self._folder / "postgres").remove()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
