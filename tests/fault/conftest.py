import gzip
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.fault.system import ROOT, System

_NUMBERS = itertools.count(1)
SAMPLE = ROOT / "apps/feeds/sample/eurusd_1h_quotes.csv.gz"


def _a_quarter(folder: Path) -> Path:
    """Return a file with EURUSD's bars of the first months of 2016."""
    with gzip.open(SAMPLE, "rt") as sample:
        lines = [line for number, line in enumerate(sample) if not number or "2016-01-01" <= line < "2016-03-15"]
    path = folder / "eurusd.csv"
    path.write_text("".join(lines))
    return path


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
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
    made.manage("import_bars", str(_a_quarter(tmp_path)), "--instrument", "OANDA:EURUSD", "--interval", "1h")
    yield made
    made.end()
