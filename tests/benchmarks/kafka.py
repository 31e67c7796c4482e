"""What Kafka costs between two contexts: one hop, and how fast a relay catches up.

`measure` runs this file in processes of their own, on an embedded server that commits to the disk and a Kafka broker of
its own, both on this machine. A hop is from the transaction that commits an event on one side to the transaction that
commits what the other side has made of it, by the clock of the database server.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from banyan.clock import SystemClock
from banyan.codec import Envelope, encode_message
from banyan.context import Context
from banyan.host import Delivery, Host, HostSettings, Route, same_key
from banyan.kafka import Cluster, KafkaServer
from banyan.kafka.server import missing_programs
from banyan.kafka.topics import Topics
from banyan.messages import Message, message
from banyan.process import HostWorker
from banyan.store import Store
from banyan.transport import LocalTransport
from banyan.transport.kafka import Link
from tests.benchmarks.measure import ROOT, Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import measured_apart
from tests.benchmarks.works import OURS, Must

P99 = f"{OURS}: 99 % of hops"
KEYS = tuple(f"{number:02d}" for number in range(12))
PAIR = ("execution", "risk")
PAUSE_SECONDS = 0.01
WARMING = 50
SECONDS_MAX = 120.0


@message("bench.sent.v1")
class Sent(Message, frozen=True, kw_only=True):
    """Something of about a kilobyte."""

    text: str


BODY = encode_message(Sent(text="x" * 1_000))


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the tables of a hop and of a relay's throughput; none where no broker can be had."""
    if missing_programs():
        sys.stdout.write(f"Kafka is not measured: there is no {' and no '.join(missing_programs())} here.\n\n")
        return
    hops, rows = (20, 500) if quick else (1_000, 150_000)
    jars = Path(os.environ.get("BANYAN_DATA_DIR", ROOT / "var")) / "kafka" / "jars"
    found = measured_apart("tests.benchmarks.kafka", "all", jars, hops, rows)
    seconds = found["hops"]
    last = quantiles(seconds, n=100, method="inclusive")[-1]
    bounds = () if quick else (Must("seconds", 0.005), Must("seconds", 0.015, P99))
    title = "one hop over Kafka, from commit to commit, in messages of 1 kB"
    yield Table("kafka-hop", title, "s", [Row(OURS, seconds, f"{hops:,} messages"), Row(P99, [last])], bounds)
    rate = [Row(OURS, [found["per_second"]], f"{rows:,} messages of 1 kB")]
    must = () if quick else (Must("per_second", 30_000),)
    yield Table("kafka-relay", "committed outbox rows → acknowledged by Kafka, a second", "/s", rate, must)


def _context(name: str) -> Context[int]:
    return Context(
        name=name,
        new_state=lambda _: 0,
        decide=lambda _, received: [received.message],
        evolve=lambda state, _: state + 1,
        snapshot_version=1,
        to_snapshot=lambda state: str(state).encode(),
        from_snapshot=lambda _, __, written: int(written),
    )


class _Side:
    """A context with its link, in threads."""

    def __init__(self, name: str, cluster: Cluster, topics: Topics) -> None:
        sends = name == PAIR[0]
        transport = LocalTransport({})
        routes = [Route(Sent, PAIR[1], same_key)] if sends else []
        self.host: Host[int] = Host(
            _context(name), Store(name), routes, SystemClock(), owner=name, settings=HostSettings()
        )
        transport.join(self.host, KEYS)
        self.link = Link(
            self.host, cluster, topics,
            receivers=[PAIR[1]] if sends else [], senders=[] if sends else [PAIR[0]], side="bench",
        )  # fmt: skip
        self.link.open()
        if sends:
            transport.attach(PAIR[1], self.link.relay, None)
        self._stop = threading.Event()
        self._workers = [HostWorker(self.host, KEYS, SystemClock()), *self.link.workers]
        self._threads = [threading.Thread(target=each.run, args=(self._stop,)) for each in self._workers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.wake()
        for thread in self._threads:
            thread.join()


def _delivery(number: int) -> Delivery:
    return Delivery(PAIR[0], Envelope(name=Sent.wire_name, id=f"m{number}", key=KEYS[number % len(KEYS)]), BODY)


def _hops(cluster: Cluster, topics: Topics, count: int) -> list[float]:
    """Return the seconds of each hop from a side in this process to one in another."""
    command = [sys.executable, "-m", "tests.benchmarks.kafka", "risk", cluster.address(), topics.environment]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        side = _Side(PAIR[0], cluster, topics)
        side.start()
        assert other.stdout.readline() == "ready\n"
        for number in range(WARMING + count):
            side.host.offer([_delivery(number)])
            time.sleep(PAUSE_SECONDS)
        _until(lambda: sum(_numbers(PAIR[1]).values()) >= WARMING + count)
        side.stop()
        other.stdin.close()
    sent, applied = (_written(name) for name in PAIR)
    taken = [(applied[step] - sent[step]).total_seconds() for step in sorted(sent, key=sent.__getitem__)]
    return taken[WARMING:]


def _apply_what_comes(cluster: Cluster, topics: Topics) -> None:
    side = _Side(PAIR[1], cluster, topics)
    side.start()
    _until(side.link.intake.is_caught_up)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    side.stop()


def _relayed_per_second(cluster: Cluster, topics: Topics, count: int) -> float:
    """Return how many committed rows a relay brings to Kafka in a second, from the outbox alone."""
    host: Host[int] = Host(
        _context(PAIR[0]), Store(PAIR[0]), [Route(Sent, PAIR[1], same_key)], SystemClock(), owner="filling"
    )
    host.open(KEYS)
    for first in range(0, count, 3_000):
        host.offer(_delivery(10**7 + number) for number in range(first, min(count, first + 3_000)))
        while host.step():
            pass
    host.close()
    side = _Side(PAIR[0], cluster, topics)
    begun = time.perf_counter()
    side.start()
    _until(lambda: side.link.relay.count >= count)
    seconds = time.perf_counter() - begun
    side.stop()
    return count / seconds


def _numbers(name: str) -> dict[str, int]:
    with contextlib.closing(Store(name)) as store:
        return dict(store.connection.execute("SELECT key, number FROM banyan_key").fetchall())


def _written(name: str) -> dict[tuple[str, int], Any]:
    with contextlib.closing(Store(name)) as store:
        rows = store.connection.execute("SELECT key, number, written_at FROM banyan_log").fetchall()
    return {(key, number): written_at for key, number, written_at in rows}


def _until(is_so: Any) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not is_so():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def _topics(environment: str) -> Topics:
    return Topics(environment, KEYS, {PAIR: "bench"}, frozenset({PAIR}))


def _measured(jars: str, hops: int, rows: int) -> dict[str, Any]:
    from confluent_kafka.admin import AdminClient, NewTopic
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0, stdout=sys.stderr)
    server = KafkaServer(settings.DATA_DIR / "kafka" / "broker", Path(jars))
    cluster = Cluster("bench", server.start())
    try:
        topics = _topics("bench")
        admin = AdminClient(cluster.options())
        names = {topics.name(*PAIR, ""): len(KEYS), topics.resend(PAIR[0]): 1}
        for made in admin.create_topics([NewTopic(name, count, 1) for name, count in names.items()]).values():
            made.result(30)
        found: dict[str, Any] = {"hops": _hops(cluster, topics, hops)}
        found["per_second"] = _relayed_per_second(cluster, topics, rows)
    finally:
        server.stop()
    call_command("stop_database", verbosity=0, stdout=io.StringIO())
    return found


if __name__ == "__main__":
    import django

    django.setup()
    what, *arguments = sys.argv[1:]
    if what == "risk":
        _apply_what_comes(Cluster(arguments[1], arguments[0]), _topics(arguments[1]))
    else:
        sys.stdout.write(json.dumps(_measured(arguments[0], int(arguments[1]), int(arguments[2]))) + "\n")
