"""The same tests of market data's tables against a server that has TimescaleDB, where one is given."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAME_TESTS = ("tests/unit/ground/test_partitions.py", "tests/integration/feeds")


def test_market_data_is_stored_and_read_alike_with_timescale(timescale_url):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "BANYAN_P"))}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SAME_TESTS],
        cwd=ROOT,
        env={**environment, "FEEDS_DATABASE_URL": timescale_url, "TIMESCALE_EXPECTED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
