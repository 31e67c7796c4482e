"""What a follower costs those who decide: bars to the broker with risk in shadow against in the app, in turns.

One tree trades all the time; the stage is changed under it, block by block, so that both are measured on the same
accounts, files and minutes. The service follows at the lowest priority.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from banyan.kafka import KafkaServer
from banyan.kafka.server import missing_programs
from tests.benchmarks.live_tree import Trading, trading
from tests.benchmarks.measure import ROOT, Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import measured_apart
from tests.benchmarks.works import OURS

ON, OFF = "risk in shadow", "risk in the app"
_PATIENCE = 60.0
_SETTLE_SECONDS = 2.0
_FOLLOW_SECONDS = 60.0


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the tables of both, for one account and many; none where no broker can be had."""
    if missing_programs():
        sys.stdout.write(f"Shadow is not measured: there is no {' and no '.join(missing_programs())} here.\n\n")
        return
    for accounts, signals, pause in ((1, 40, 0.02), (10_000, 12, 0.4)):
        held, count, blocks = (min(accounts, 20), 3, 1) if quick else (accounts, signals, 5)
        jars = Path(os.environ.get("BANYAN_DATA_DIR", ROOT / "var")) / "kafka" / "jars"
        found = measured_apart("tests.benchmarks.shadow", held, count, pause, blocks, jars)
        rows = []
        for name in (OFF, ON):
            seconds = found[name]
            last = quantiles(seconds, n=100, method="inclusive")[-1]
            rows += [Row(f"{OURS}: {name}", seconds, f"{len(seconds):,} signals"), Row(f"{OURS}: {name}, 99 %", [last])]
        yield Table(f"shadow-{accounts}", f"a bar handed in → the last of {held:,} orders, in turns", "s", rows)


def _measured(accounts: int, signals: int, pause: float, blocks: int, jars: str) -> dict[str, Any]:
    server = KafkaServer(Path(os.environ["BANYAN_DATA_DIR"]) / "kafka", Path(jars))
    os.environ |= {"KAFKA_BOOTSTRAP": server.start(), "KAFKA_COPIES": "1", "BANYAN_ENVIRONMENT": "bench"}
    seconds: dict[str, list[float]] = {OFF: [], ON: []}
    try:
        with trading(accounts) as tree:
            from django.core.management import call_command

            call_command("topics", "apply", stdout=sys.stderr)
            with following("nice", "-n", "19"):
                for block in range(2 * blocks + 1):
                    name = ON if block % 2 else OFF
                    if block:
                        change(name)
                    for number in range(signals + 2):
                        time.sleep(pause)
                        taken = signalled(tree)
                        seconds[name] += [taken] if number >= 2 and block else []
    finally:
        server.remove()
    return seconds


def signalled(tree: Trading) -> float:
    """Return the seconds from a bar that is handed in to the last of its orders."""
    taken = tree.signal(_PATIENCE)
    assert taken is not None, "orders got lost: see run.log"
    return taken


def change(name: str) -> None:
    """Bring risk to another stage, and let everybody get used to it."""
    from django.core.management import call_command

    if name == ON:
        call_command("extract", "shadow", "risk", why="to measure it", stdout=sys.stderr)
        call_command("extract", "seed", "risk", seconds=_FOLLOW_SECONDS, stdout=sys.stderr)
    else:
        call_command("extract", "rollback", "risk", why="to measure it", stdout=sys.stderr)
    time.sleep(_SETTLE_SECONDS)


@contextmanager
def following(*prefix: str) -> Iterator[None]:
    """Run risk's service, by a command that begins with `prefix`."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings.services.risk"}
    with (Path(os.environ["BANYAN_DATA_DIR"]) / "service.log").open("wb") as log:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True
        )
        command = [*prefix, sys.executable, "-m", "extract.risk", "--health", "127.0.0.1:0"]
        service = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        service.terminate()
        service.wait(timeout=60)


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.stdout.write(
        json.dumps(_measured(int(given[0]), int(given[1]), float(given[2]), int(given[3]), given[4])) + "\n"
    )
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
