"""`python -m tests.soak`: the property tests, round after round, each with a seed of its own."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

from tests.profiles import SOAK
from tests.soak.page import Soak, keep

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "soak.md"
NO_TESTS_FAILED, TESTS_FAILED = 0, 1  # of pytest's exit codes those with which every test has run


def main() -> int:
    """Run rounds until the time is over, and say what was tried; return 1 where a test failed."""
    asked = _arguments()
    soak, over, longest = Soak(), monotonic() + 60.0 * asked.minutes, 0.0
    while not soak.seeds or monotonic() + longest < over:
        begun, seed = monotonic(), asked.seed + len(soak.seeds)
        counts = _round(asked.tests, seed)
        longest = max(longest, monotonic() - begun)
        soak.add(seed, monotonic() - begun, counts)
    sys.stdout.write(f"{soak.summary()}\n")
    for name, seeds in soak.failures.items():
        sys.stdout.write(f"FAILED {name} with seeds {', '.join(map(str, seeds))}\n")
    if asked.keep:
        keep(soak, PAGE)
        sys.stdout.write(f"kept in {PAGE}\n")
    return int(bool(soak.failures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="begin no round that may end later (30)")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next ones count on (1)")
    parser.add_argument("--keep", action="store_true", help="write what was tried to docs/soak.md")
    parser.add_argument("tests", nargs="*", help="files of tests; all of them when not given")
    return parser.parse_args()


def _round(tests: list[str], seed: int) -> dict[str, Any]:
    """Run every property test once with this seed and return what each has tried."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "-p", "tests.soak.plugin", "--durations=0"]
        command += [f"--hypothesis-profile={SOAK}", f"--hypothesis-seed={seed}", f"--soak-counts={counts}", *tests]
        ended = subprocess.run(command, cwd=ROOT, check=False)
        if ended.returncode not in (NO_TESTS_FAILED, TESTS_FAILED):
            raise SystemExit(f"the tests did not run: pytest ended with {ended.returncode}")
        found: dict[str, Any] = json.loads(counts.read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
