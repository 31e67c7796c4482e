"""`manage.py migrate` and what commands say of databases, each on data of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from banyan.embedded import EmbeddedServer
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    embedded = EmbeddedServer(tmp_path / "postgres", durable=False)
    yield embedded
    embedded.remove()


def start(server: EmbeddedServer, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    environment |= {"DJANGO_SETTINGS_MODULE": "settings.dev", "BANYAN_DATA_DIR": str(server.directory.parent)}
    environment |= {"BANYAN_POSTGRES_DIR": str(server.directory), **variables}
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(server: EmbeddedServer, *arguments: str, **variables: str) -> tuple[int, str, str]:
    process = start(server, *arguments, **variables)
    output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output, errors


def test_two_at_once_from_nothing_make_every_database_once(server):
    processes = [start(server, "migrate") for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs[0][1] + outputs[1][1]
    created = "".join(output for output, _ in outputs)
    for name in ("banyan", "banyan_feeds", "banyan_backtest"):
        assert created.count(f"Created database {name}.") == 1
    assert created.count("Applying sessions.0001_initial... OK") == 1
    status, output, _ = run(server, "migrate", "--check")
    assert (status, output) == (0, "")


@pytest.mark.soak  # of the core are the systems of tests/fault, each on databases that a URL names
def test_databases_are_made_on_the_server_that_a_url_names(server):
    address = server.start()
    url = f"postgresql://{address.user}@/firm?host={address.host}"
    assert run(server, "migrate", "--verbosity", "0", DATABASE_URL=url) == (0, "", "")
    with psycopg.connect(host=address.host, user=address.user, dbname="postgres") as connection:
        names = {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}
    assert names >= {"firm", "firm_feeds", "firm_backtest"}


@pytest.mark.parametrize("command", ["list_data", "run"])
def test_a_database_that_is_missing_is_explained_in_one_line(server, command):
    status, _, errors = run(server, command)
    assert status == 1
    assert "migrate" in errors
    told = [line for line in errors.splitlines() if not line.startswith("The database is kept in ")]
    assert len(told) == 1


@pytest.mark.parametrize(("made", "command"), [("banyan_feeds", "list_data"), ("banyan", "run")])
def test_a_database_without_tables_is_explained_in_one_line(server, made, command):
    address = server.start()
    with psycopg.connect(host=address.host, user=address.user, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {made}")
    status, _, errors = run(server, command)
    assert status == 1
    assert "migrate" in errors
    told = [line for line in errors.splitlines() if not line.startswith("The database is kept in ")]
    assert len(told) == 1


def test_a_server_that_cannot_be_reached_is_explained_in_one_line_without_the_password(server):
    url = "postgresql://quant:hunter2@127.0.0.1:1/firm"
    status, _, errors = run(server, "migrate", DATABASE_URL=url)
    assert status == 1
    assert errors.startswith("error: The database cannot be reached: ")
    assert "Check DATABASE_URL" in errors
    assert "hunter2" not in errors
    told = [line for line in errors.splitlines() if not line.startswith("The database is kept in ")]
    assert len(told) == 1
