"""What every test shares: the embedded database of the run, and the real services beside it.

A service that is missing skips its tests with a reason, and the summary of the run says so in capitals. Under CI=true
a missing service that could have been installed fails them instead.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.profiles  # noqa: F401  (registers the profiles of property tests)
from banyan.kafka import Cluster, KafkaServer
from banyan.kafka.server import missing_programs

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


def find_chromium() -> str | None:
    """Return the path of a Chromium browser on this machine."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def missing_services() -> dict[str, str]:
    """Return each real service that tests cannot use here, with what would provide it."""
    missing = {}
    if shutil.which("redis-server") is None:
        missing["Redis"] = "install redis-server"
    if not os.environ.get("KAFKA_BOOTSTRAP") and (programs := missing_programs()):
        missing["Kafka"] = f"install {' and '.join(programs)} (on Debian: default-jre-headless maven)"
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing["Node"] = "install nodejs and npm (on Debian: nodejs npm)"
    if find_chromium() is None:
        missing["Chromium"] = "install chromium"
    if not os.environ.get("TIMESCALE_TEST_URL"):
        missing["TimescaleDB"] = (
            "set TIMESCALE_TEST_URL=postgresql://user:password@host/database to a server that has it"
        )
    return missing


def _require(service: str) -> None:
    remedy = missing_services().get(service)
    if remedy is None:
        return
    if IN_CI and remedy.startswith("install"):
        pytest.fail(f"{service} is missing under CI: {remedy}")
    pytest.skip(f"{service} is missing: {remedy}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested against the real thing."""
    for service, remedy in missing_services().items():
        terminalreporter.write_line(f"NOT TESTED AGAINST A REAL {service.upper()}: {remedy}", red=True, bold=True)


def pytest_configure(config: pytest.Config) -> None:
    """Remove the embedded servers of runs that were killed, and empty databases our way."""
    from tests.emptying import empty_quickly

    empty_quickly()
    for name, remove in _REMOVERS.items():
        for directory in _server_directory(name).parent.glob(f"{name}-*"):
            if not Path("/proc", directory.name.removeprefix(f"{name}-")).exists() and Path("/proc").exists():
                remove(directory)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the console and clients of the API: the process that begins has all of them, and one system for them.

    What comes late is shared out among all processes, and a system for each is more than two cores can serve.
    """
    first = ("tests/browser/test_console", "tests/browser/test_api_clients.py")
    items.sort(key=lambda item: next((at for at, name in enumerate(first) if item.nodeid.startswith(name)), len(first)))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the embedded servers of this run; xdist's workers leave that to their controller."""
    for name, remove in _REMOVERS.items():
        if _server_directory(name).name == f"{name}-{os.getpid()}":
            remove(_server_directory(name))


def _server_directory(name: str) -> Path:
    return Path(os.environ[f"BANYAN_{name.upper()}_DIR"])


def _remove_postgresql(directory: Path) -> None:
    from banyan.embedded import EmbeddedServer

    EmbeddedServer(directory).remove()


def _remove_kafka(directory: Path) -> None:
    KafkaServer(directory, directory).remove()


_REMOVERS = {"postgres": _remove_postgresql, "kafka": _remove_kafka}


@pytest.fixture(scope="session")
def timescale_url() -> str:
    """The URL of a PostgreSQL server that has TimescaleDB."""
    _require("TimescaleDB")
    return os.environ["TIMESCALE_TEST_URL"]


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Redis server of this test process."""
    _require("Redis")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    with subprocess.Popen([*command, "--logfile", str(folder / "log")]) as server:
        try:
            _wait_for_redis(port)
            yield port
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def kafka() -> Cluster:
    """The Kafka cluster of this run, shared by all its processes."""
    _require("Kafka")
    from django.conf import settings

    cluster: Cluster = settings.KAFKA
    if not cluster.bootstrap:
        assert cluster.server is not None
        cluster.server.start()
    return cluster


@pytest.fixture(scope="session")
def node() -> Path:
    """A folder in which Node finds what clients in TypeScript are made with."""
    _require("Node")
    from tests.clients.generating import node_modules

    return node_modules()


@pytest.fixture
def redis_url(redis_port: int) -> str:
    """The URL of a database of Redis in which nothing is left of other tests."""
    import redis

    with redis.Redis(port=redis_port) as client:
        client.flushdb()
    return f"redis://127.0.0.1:{redis_port}/0"


def _wait_for_redis(port: int) -> None:
    import redis
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    patience = Retry(ConstantBackoff(0.05), retries=200)
    with redis.Redis(port=port, retry=patience, retry_on_error=[redis.exceptions.ConnectionError]) as client:
        client.ping()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium, as a Playwright browser, for one module: others have loops of their own in this thread."""
    _require("Chromium")
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield chromium
        chromium.close()
