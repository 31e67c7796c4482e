"""What every test shares: the embedded database of this run."""

import os
from pathlib import Path

import pytest


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the embedded server of this run, if any test started it; xdist's workers leave that to their controller."""
    if not hasattr(config, "workerinput"):
        _remove_servers()


def _remove_servers() -> None:
    from banyan.embedded import EmbeddedServer

    directory = Path(os.environ.get("BANYAN_POSTGRES_DIR", ""))
    if directory.name == f"postgres-{os.getpid()}":
        EmbeddedServer(directory).remove()
