"""Digests of random runs, printed by a process whose compiler is off (NUMBA_DISABLE_JIT=1)."""

import json
import sys

from tests.integration.engine.fuzz import digest_of, random_case


def digests(seeds: int) -> list[str]:
    """Return what so many random runs of one and of three channels come to, to the last bit."""
    return [digest_of(random_case(seed, channels).run()) for channels in (1, 3) for seed in range(seeds)]


if __name__ == "__main__":
    json.dump(digests(int(sys.argv[1])), sys.stdout)
