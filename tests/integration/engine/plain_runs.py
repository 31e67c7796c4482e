"""Digests of random runs, printed by a process whose compiler is off (NUMBA_DISABLE_JIT=1)."""

import json
import sys

from tests.integration.engine.fuzz import digest_of, random_case

SEEDS = range(120)


def digests() -> list[str]:
    """Return what the random runs of one and of three channels come to, to the last bit."""
    return [digest_of(random_case(seed, channels).run()) for channels in (1, 3) for seed in SEEDS]


if __name__ == "__main__":
    json.dump(digests(), sys.stdout)
