"""`python -m tests.benchmarks.bar`: hand in a bar, at which every account of a history changes what it holds."""

import time
from contextlib import closing

import django

import apps  # noqa: F401  (puts the source root `platform/` on the path)


def main() -> None:
    """Hand it in, to close now."""
    django.setup()
    from banyan.store import Store
    from tests.benchmarks.tree import hand_in_bars

    with closing(Store("feeds")) as feeds:
        hand_in_bars(feeds, "oanda", 60_000_000_000, ["OANDA:EURUSD"], time.time_ns())


if __name__ == "__main__":
    main()
