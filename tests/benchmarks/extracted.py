"""Bars to the broker with risk out of the app: its service leads all shards, beyond Kafka, on the same cores."""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from banyan.kafka import KafkaServer
from banyan.kafka.server import missing_programs
from tests.benchmarks.live_tree import trading
from tests.benchmarks.measure import ROOT, Row
from tests.benchmarks.report import Table
from tests.benchmarks.shadow import ON, change, following, signalled
from tests.benchmarks.tree import measured_apart
from tests.benchmarks.works import OURS, Must

P99 = f"{OURS}: 99 % of signals"
_WARMING = 5
_SETTLE_SECONDS = 2.0
_LONGEST = {1: 0.050, 10_000: 0.150}


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the tables of one account and many; none where no broker can be had."""
    if missing_programs():
        sys.stdout.write(f"Risk as a service is not measured: no {' and no '.join(missing_programs())} here.\n\n")
        return
    for accounts, signals, pause in ((1, 200, 0.02), (10_000, 60, 0.4)):
        held, count = (min(accounts, 20), 3) if quick else (accounts, signals)
        jars = Path(os.environ.get("BANYAN_DATA_DIR", ROOT / "var")) / "kafka" / "jars"
        seconds = measured_apart("tests.benchmarks.extracted", held, count, pause, jars)["seconds"]
        bounds = () if quick else (Must("seconds", _LONGEST[accounts], P99),)
        last = quantiles(seconds, n=100, method="inclusive")[-1]
        rows = [Row(OURS, seconds, f"{len(seconds):,} signals"), Row(P99, [last])]
        title = f"a bar handed in → the last of {held:,} orders, risk a service beyond Kafka"
        yield Table(f"extracted-{accounts}", title, "s", rows, bounds)


def _measured(accounts: int, signals: int, pause: float, jars: str) -> dict[str, Any]:
    server = KafkaServer(Path(os.environ["BANYAN_DATA_DIR"]) / "kafka", Path(jars))
    os.environ |= {"KAFKA_BOOTSTRAP": server.start(), "KAFKA_COPIES": "1", "BANYAN_ENVIRONMENT": "bench"}
    try:
        with trading(accounts) as tree:
            from django.core.management import call_command

            call_command("topics", "apply", stdout=sys.stderr)
            with following():
                change(ON)
                signalled(tree)
                time.sleep(_SETTLE_SECONDS)
                enough = {"minutes": 0, "records": 0, "why": "to measure it"}
                call_command("extract", "live", "risk", stdout=sys.stderr, **enough)
                found = []
                for number in range(signals + _WARMING):
                    time.sleep(pause)
                    taken = signalled(tree)
                    found += [taken] if number >= _WARMING else []
    finally:
        server.remove()
    return {"seconds": found}


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.stdout.write(json.dumps(_measured(int(given[0]), int(given[1]), float(given[2]), given[3])) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
