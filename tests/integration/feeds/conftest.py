"""What the tests against the database share: files, an instrument, and a data folder of each test's own."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from apps.feeds.imports import Options, Outcome, import_file
from apps.feeds.models import Instrument
from apps.feeds.records import Kind
from apps.feeds.series import find_instrument
from trading.intervals import MINUTE

FIRST = int(np.datetime64("2020-12-31T20:00", "ns").astype(np.int64))  # so that rows lie in two years' partitions


def bar_lines(count: int, seed: int = 1) -> list[str]:
    """Lines of minute bars (time, open, high, low, close, volume): a random walk."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-3, count)))
    times = np.datetime_as_string((FIRST + np.arange(count) * MINUTE).astype("datetime64[ns]"), unit="s")
    volumes = rng.integers(1, 1_000, count)
    return [
        f"{time}Z,{price!r},{price * 1.001!r},{price * 0.999!r},{price!r},{volume}"
        for time, price, volume in zip(times.tolist(), close.tolist(), volumes.tolist(), strict=True)
    ]


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep local copies of rows in the test's folder."""
    monkeypatch.setenv("BANYAN_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def instrument() -> Instrument:
    """An instrument that trades around the clock."""
    return Instrument.objects.create(id="TEST:WALK")


@pytest.fixture
def write_bars(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes lines of bars to a file with a header and returns its path."""

    def write(lines: Iterable[str], name: str = "bars.csv") -> Path:
        path = tmp_path / name
        path.write_text("ts,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def load() -> Callable[..., Outcome]:
    """Return a function that imports minute bars."""

    def load(path: Path, name: str = "TEST:WALK", **options: object) -> Outcome:
        kinds = (Kind.QUOTES, Kind.BARS)
        return import_file(path, find_instrument(name), MINUTE, kinds, Options(**options))  # type: ignore[arg-type]

    return load
