"""`manage.py serve` as a person starts it: a process of its own, on data of its own."""

import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from banyan.embedded import EmbeddedServer
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def data_directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    EmbeddedServer(tmp_path / "postgres").remove()


def serve_once(data_directory: Path, *paths: str) -> tuple[str, dict[str, bytes]]:
    """Return what `serve` printed until it was interrupted, and what it answered for each of `paths`."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    environment |= {"BANYAN_DATA_DIR": str(data_directory), "DJANGO_SETTINGS_MODULE": "settings.dev"}
    environment |= {"BANYAN_POSTGRES_DIR": str(data_directory / "postgres"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        limit = threading.Timer(PATIENCE_SECONDS, server.kill)
        limit.start()
        try:
            printed = []
            for line in server.stdout:
                printed.append(line)
                if "Ready" in line:
                    break
            answers = {path: urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").read() for path in paths}
        finally:
            limit.cancel()
            server.terminate()
        return "".join(printed) + server.stdout.read(), answers


def test_serve_migrates_prints_a_password_once_and_answers_with_its_styles(data_directory):
    printed, answers = serve_once(data_directory, "/health", "/admin/", "/static/unfold/css/styles.css")
    assert re.search(r"Administrator: admin, password: \S{16,} \(shown only now\)", printed)
    assert answers["/health"] == b"ok"
    assert b"csrfmiddlewaretoken" in answers["/admin/"]
    assert len(answers["/static/unfold/css/styles.css"]) > 10_000

    printed_again, answers_again = serve_once(data_directory, "/health")
    assert "password" not in printed_again
    assert answers_again["/health"] == b"ok"
