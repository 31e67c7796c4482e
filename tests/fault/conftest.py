import gzip
import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from banyan import crash
from tests.fault.pipeline import Crashes, Pipeline
from tests.fault.system import ROOT, System

_NUMBERS = itertools.count(1)
_SYSTEM = "system"
SAMPLE = ROOT / "apps/feeds/sample/eurusd_1h_quotes.csv.gz"


def a_quarter(folder: Path) -> Path:
    """Return a file with EURUSD's bars of the first months of 2016."""
    with gzip.open(SAMPLE, "rt") as sample:
        lines = [line for number, line in enumerate(sample) if not number or "2016-01-01" <= line < "2016-03-15"]
    path = folder / "eurusd.csv"
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="session")
def address() -> str:
    """The URL of a database of this run's server, with {name} for its name."""
    server = settings.DATABASES["default"]
    if server.get("EMBEDDED") is None:
        return f"postgresql://{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}/{{name}}"
    found = server["EMBEDDED"].start()
    return f"postgresql://{found.user}@/{{name}}?host={found.host}&port={found.port}"


@pytest.fixture(scope="session")
def prepared(address: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the names of databases begin with that are migrated and have EURUSD's bars, once for the whole run."""
    name = f"prepared_{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}"
    with psycopg.connect(address.format(name="postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])  # until the end of the connection
        if not _databases(connection, f"whole_{name}"):
            folder = tmp_path_factory.mktemp(_SYSTEM)
            made = System(folder, address.format(name=name))
            made.manage("migrate", "--verbosity", "0")
            made.manage("import_bars", str(a_quarter(folder)), "--instrument", "OANDA:EURUSD", "--interval", "1h")
            made.end()
            connection.execute(f"CREATE DATABASE whole_{name}")
    return name


@pytest.fixture
def system(tmp_path: Path, address: str, prepared: str, record_property: Any) -> Iterator[System]:
    """The system on new databases of this run's server, with EURUSD's bars imported."""
    name = f"{_SYSTEM}_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(address.format(name="postgres"), autocommit=True) as connection:
        for each in _databases(connection, prepared):
            connection.execute(f"CREATE DATABASE {each.replace(prepared, name)} TEMPLATE {each}")
    made = System(tmp_path, address.format(name=name))
    yield made
    record_property("faults", made.faults())
    made.end()


def _databases(connection: psycopg.Connection[Any], beginning: str) -> list[str]:
    found = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [beginning])
    return [name for (name,) in found.fetchall()]


Make = Callable[..., Pipeline]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any) -> Iterator[Make]:
    """Makes a pipeline whose crash points are in the test's hand."""
    made: list[Pipeline] = []

    def build(seed: int, **options: Any) -> Pipeline:
        crashes = Crashes(random.Random(seed))
        monkeypatch.setattr(crash, "point", crashes.point)
        made.append(Pipeline(tmp_path, seed, crashes, **options))
        return made[-1]

    yield build
    if made:
        record_property("faults", sum(each.faults() for each in made))
    for each in made:
        each.crashes.chance, each.crashes.armed = 0.0, ""
        each.close()
