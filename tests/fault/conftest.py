import gzip
import itertools
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from banyan import crash
from tests.fault.pipeline import Crashes, Pipeline
from tests.fault.system import ROOT, System

_NUMBERS = itertools.count(1)
SAMPLE = ROOT / "apps/feeds/sample/eurusd_1h_quotes.csv.gz"


def a_quarter(folder: Path) -> Path:
    """Return a file with EURUSD's bars of the first months of 2016."""
    with gzip.open(SAMPLE, "rt") as sample:
        lines = [line for number, line in enumerate(sample) if not number or "2016-01-01" <= line < "2016-03-15"]
    path = folder / "eurusd.csv"
    path.write_text("".join(lines))
    return path


@pytest.fixture
def system(tmp_path: Path, record_property: Any) -> Iterator[System]:
    """The system on new databases of this run's server, with EURUSD's bars imported."""
    server = settings.DATABASES["default"]
    if server.get("EMBEDDED") is not None:
        address = server["EMBEDDED"].start()
        place = f"{address.user}@/{{name}}?host={address.host}&port={address.port}"
    else:
        place = f"{server['USER']}:{server['PASSWORD']}@{server['HOST']}:{server['PORT']}/{{name}}"
    name = f"system_{os.getpid()}_{next(_NUMBERS)}"
    made = System(tmp_path, f"postgresql://{place.format(name=name)}")
    made.manage("migrate", "--verbosity", "0")
    made.manage("import_bars", str(a_quarter(tmp_path)), "--instrument", "OANDA:EURUSD", "--interval", "1h")
    yield made
    record_property("faults", made.faults())
    made.end()


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
