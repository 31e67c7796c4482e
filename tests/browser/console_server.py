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
from trading.compiled import data_directory

READY_SECONDS = 240


class ConsoleServer:
    """`manage.py serve --sample` in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.password = ""
        self._folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
        self._environment = inherited | {
            "BANYAN_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "settings.dev", "BANYAN_SHARDS": "2",
            "BANYAN_POSTGRES_DIR": str(folder / "postgres"), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        (folder / "kernels").symlink_to(_made(data_directory() / "kernels"))
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> None:
        """Start it, and wait until it says that it is ready."""
        command = [sys.executable, "manage.py", "serve", "--port", str(self.port), *arguments]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._processes.append(process)
        assert process.stdout is not None
        limit = threading.Timer(READY_SECONDS, process.kill)
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

    def kill(self) -> None:
        """Kill what serves, and nothing else: a pipeline that it had started goes on or ends by itself."""
        process = self._processes[-1]
        process.kill()
        process.wait()

    def manage(self, *arguments: str) -> str:
        """Run a command there; return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> None:
        """End everything, and remove the database."""
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)
        self._processes.clear()
        EmbeddedServer(self._folder / "postgres").remove()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
