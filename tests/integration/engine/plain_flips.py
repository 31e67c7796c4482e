"""The fast path against the event loop for every shipped strategy that has one; says which runs differ."""

import sys

from apps.backtest.engine import gives_weights
from apps.signals.interface import get_strategy, list_strategies
from tests.integration.engine.fuzz import digest_of
from tests.integration.engine.test_engine_properties import fast_or_slow


def main() -> None:
    """Print how many runs were compared, then the name and seed of each that differs."""
    shipped = [get_strategy(name) for name in list_strategies()]
    names = [each.name for each in shipped if each.channels == 1 and each.kind == "kernel" and gives_weights(each)]
    places = [(name, seed) for name in names for seed in range(25)]
    differ = [
        place
        for place in places
        if digest_of(fast_or_slow(*place, "auto")) != digest_of(fast_or_slow(*place, "events"))
    ]
    said = [f"compared {len(places)} runs of {', '.join(names)}", *map(str, differ)]
    sys.stdout.write("\n".join(said))


if __name__ == "__main__":
    main()
