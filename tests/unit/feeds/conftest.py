"""What the tests of feeds share: small files."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

import apps  # noqa: F401  (puts the source root `platform/` on the path)

Writer = Callable[..., Path]


@pytest.fixture
def write_csv(tmp_path: Path) -> Writer:
    """Return a function that writes lines to a CSV file (gzipped by its name) and returns its path."""

    def write(*lines: str, name: str = "bars.csv", end: str = "\n") -> Path:
        path = tmp_path / name
        data = (end.join(lines) + end).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write
