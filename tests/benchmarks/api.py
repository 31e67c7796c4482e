"""What the REST API costs over a long history: lists and details, bars in one piece, orders by POST, and streams.

`measure` runs this file in a process of its own, on a copy of the history: it starts the whole tree of `manage.py run`
as `live` does, and calls a server of one process beside it. Half of the lists are asked for by a key of the firm and
half by one of a client, and the tree, which has nothing to do then, stays up.
"""

import asyncio
import http.client
import json
import os
import random
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from statistics import quantiles
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.api_calls import HOST, as_fast_as_it_goes, at_a_rate, free_port, key_of, listening, post, served
from tests.benchmarks.history import CLIENT, QUIET, QUIET_SET, size_of
from tests.benchmarks.live_tree import Trading, trading
from tests.benchmarks.measure import Row
from tests.benchmarks.parts import Tables, over_history, tell
from tests.benchmarks.report import Table
from tests.benchmarks.stages import columns_of
from tests.benchmarks.tree import hand_in_bars, memory_of
from tests.benchmarks.works import OURS, Must

STREAMS = 1_000
PER_SECOND = 50
_PATIENCE_SECONDS = 900.0
SLOWEST = f"{OURS}: 99 % of the slowest address"
P99 = f"{OURS}: 99 % of them"


def measure(*, quick: bool = False, only: Collection[str] = ()) -> Iterator[Table]:
    """Yield the tables of what calls of the API cost; of those in `only`, if any."""
    yield from over_history("tests.benchmarks.api", partial(_parts, quick=quick), only, quick=quick)


def _parts(history: str, *, quick: bool) -> Mapping[str, Tables]:
    def bounds(*must: Must) -> tuple[Must, ...]:
        return () if quick else must

    def reads(found: dict[str, Any]) -> Iterator[Table]:
        rows = [Row(f"{OURS}: {name}", seconds, p99_told(seconds)) for name, seconds in found.items()]
        title = f"lists and details at {PER_SECOND} calls a second, {history}"
        slowest = Row(SLOWEST, [max(map(p99, found.values()))])
        yield Table("api-reads", title, "s", [*rows, slowest], bounds(Must("seconds", 0.050, SLOWEST)))

    def details(found: dict[str, Any]) -> Iterator[Table]:
        rows = [Row(OURS, found["details"], "accounts and orders, one process, the caller on another core")]
        yield Table("api-details", f"details a second, {history}", "/s", rows, bounds(Must("per_second", 500)))

    def orders(found: dict[str, Any]) -> Iterator[Table]:
        stages = [Row(f"{OURS}: to the commit of {name}", each) for name, each in found["stages"].items() if each]
        rows = [Row(OURS, found["sent"]), Row(P99, [p99(found["sent"])]), *stages]
        yield Table("api-orders", "an order by POST → SENT committed", "s", rows, bounds(Must("seconds", 0.050, P99)))

    def arrow(found: dict[str, Any]) -> Iterator[Table]:
        seconds = found["seconds"]
        rows = [Row(OURS, seconds[1:], "from the local copy"), Row(f"{OURS}: the first time", seconds[:1])]
        yield Table(
            "api-arrow", f"{found['bars']:,} bars as a stream of Arrow", "s", rows, bounds(Must("seconds", 1.0))
        )

    def streams(found: dict[str, Any]) -> Iterator[Table]:
        told = f"{found['streams']:,} connections, each of which heard {found['events']} events, one a second"
        memory = [Row(OURS, [found["megabytes"]], told)]
        limit = None if quick else 400.0
        yield Table("api-streams", "memory of the server with its streams", "MB", memory, limit=limit)
        rows = [Row(OURS, found["heard"]), Row(P99, [p99(found["heard"])])]
        yield Table("api-heard", f"a bar handed in → heard of by {found['streams']:,} connections", "s", rows)

    return {
        "api-reads": reads,
        "api-details": details,
        "api-arrow": arrow,
        "api-orders": orders,
        "api-streams": streams,
    }


def p99(samples: list[float]) -> float:
    """Return what 99 % of samples are not above."""
    return quantiles(samples, n=100, method="inclusive")[-1]


def p99_told(samples: list[float]) -> str:
    """Return it as it stands beside a row."""
    return f"99 %: {1000 * p99(samples):.1f} ms"


def _measure_parts(names: str, *, quick: bool) -> None:
    with trading(size_of(quick=quick).accounts, make=None) as tree:
        wait_for_read_models()
        firm, client = key_of(), key_of(CLIENT)
        measured = {
            "api-reads": partial(_reads, firm, client, 2 if quick else 200),
            "api-details": partial(_details, firm, 3 if quick else 20),
            "api-arrow": partial(_arrow, firm, 3 if quick else 9),
            "api-orders": partial(_orders_sent, firm, tree, 5 if quick else 500),
            "api-streams": partial(_streams, firm, tree, 5 if quick else STREAMS, 3 if quick else 30),
        }
        tell(names, measured)


def wait_for_read_models() -> None:
    """Wait until read models have all that execution has recorded."""
    from django.db import connections

    from apps.reporting import interface as reporting

    until = time.monotonic() + _PATIENCE_SECONDS
    with connections["execution"].cursor() as cursor:
        cursor.execute("SELECT key, max(number) FROM banyan_log GROUP BY key")
        heads = {key: (number,) for key, number in cursor.fetchall()}
    while any(reporting.log_marks().get(key, (0,)) < head for key, head in heads.items()):
        assert time.monotonic() < until, "the read models are not drained: see run.log"
        time.sleep(1.0)


@contextmanager
def _served() -> Iterator[tuple[int, int]]:
    port = free_port()
    pinned = ["taskset", "-c", "0"] if (os.cpu_count() or 1) > 1 else []
    with served(port, *pinned) as server:
        yield port, server.pid


# ---- reads ----------------------------------------------------------------------------------------------------------

_OF_ALL = (
    "/accounts", "/accounts?q=B-0", "/orders", "/orders?state=working", "/orders?state=refused",
    "/orders?state=unknown",
    "/orders?set=bench", "/orders?sort=requested_at", "/fills", "/refusals", "/skips", "/positions",
    "/positions?open=true", "/pnl", "/pnl?by=set", "/pnl?by=instrument", "/pnl?by=day",
)  # fmt: skip
_OF_FIRM = (
    "/instruments", "/instruments/OANDA:EURUSD", "/instruments/BENCH:GBM/bars?interval=1m&limit=100", "/feeds",
    "/strategies", "/sets", "/sets/bench", "/sets/bench/definition", "/signals", "/contexts", "/stages",
    "/trading-states", "/kill-switch", "/limits", "/dead-letters", "/audit", "/runs", "/jobs", "/webhooks", "/key",
    "/quarantine",
)  # fmt: skip
_OF_ACCOUNT = (
    "",
    "/equity?since=2020-01-01",
    "/subscriptions",
    "/settings",
    "/settings/own",
    "/restrictions",
    "/limits",
)


def _reads(firm: str, client: str, rounds: int) -> dict[str, list[float]]:
    account = _accounts(CLIENT.upper())[0]
    of_account = [f"/accounts/{account}{each}" for each in _OF_ACCOUNT]
    of_account += [f"{each}?account={account}" for each in ("/orders", "/fills", "/positions", "/refusals", "/skips")]
    of_account += [f"/pnl?by=day&account={account}", _orders(account)[0]]
    found: dict[str, list[float]] = {}
    with _served() as (port, _):
        for key, who, paths in ((firm, "firm", (*_OF_ALL, *_OF_FIRM)), (client, "client", (*_OF_ALL, *of_account))):
            named = [(f"{who} {path.replace(account, 'ID')}", path) for path in paths]
            asyncio.run(at_a_rate(port, key, named, PER_SECOND, 1))  # which compiles statements and fills caches
            found |= asyncio.run(at_a_rate(port, key, named, PER_SECOND, rounds))
    return found


def _accounts(begin: str) -> list[str]:
    from apps.execution.models import Account

    return list(
        Account.objects.using("execution").filter(id__startswith=begin).order_by("id").values_list("id", flat=True)
    )


def _orders(account: str = "") -> list[str]:
    """Return the addresses of the newest orders, of all accounts or of one."""
    from apps.reporting import interface as reporting

    found = reporting.orders(reporting.Scope(account=account), 500)
    return [f"/orders/{each.account}/{each.instrument}/{each.decision}" for each in found]


def _details(key: str, seconds: int) -> dict[str, Any]:
    names, orders, chance = _accounts("B"), _orders(), random.Random(1)

    def path_of() -> str:
        return f"/accounts/{chance.choice(names)}" if chance.random() < 0.5 else chance.choice(orders)

    cores = os.sched_getaffinity(0)
    try:
        with _served() as (port, _):
            os.sched_setaffinity(0, {max(cores)})
            return {"details": asyncio.run(as_fast_as_it_goes(port, key, path_of, 6, seconds))}
    finally:
        os.sched_setaffinity(0, cores)


def _orders_sent(key: str, tree: Trading, count: int) -> dict[str, Any]:
    """Return the seconds from a POST to the commit of SENT, each order by itself, twenty a second at most."""
    names, stages = _accounts("B"), []
    with _served() as (port, _):
        connection = http.client.HTTPConnection(HOST, port)
        for number in range(count):
            lots = "1000" if number // len(names) % 2 == 0 else "-1000"
            body = {"account": names[number % len(names)], "instrument": "OANDA:EURUSD", "lots": lots}
            handed_ns = time.time_ns()
            post(connection, key, "/orders", body, uuid.uuid4().hex)
            accepted_ns, _ = tree.accepted(30.0)
            stages.append(tree.stages.stages(handed_ns, accepted_ns))
            assert stages[-1][-1] is not None, "an order was not sent: see run.log"
            time.sleep(0.05)
        connection.close()
    return {"sent": [each[-1] for each in stages], "stages": columns_of(stages)}


def _arrow(key: str, times: int) -> dict[str, Any]:
    import pyarrow as pa

    seconds, bars = [], 0
    with _served() as (port, _):
        for _ in range(times):
            begun = time.perf_counter()
            connection = http.client.HTTPConnection(HOST, port)
            headers = {"Authorization": f"Bearer {key}"}
            connection.request("GET", "/api/v1/instruments/BENCH:GBM/bars?interval=1m&format=arrow", headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            seconds.append(time.perf_counter() - begun)
            assert answer.status == 200, content[:300]
            bars = pa.ipc.open_stream(content).read_all().num_rows
            connection.close()
    return {"seconds": seconds, "bars": bars}


# ---- streams --------------------------------------------------------------------------------------------------------


def _streams(key: str, tree: Trading, count: int, events: int) -> dict[str, Any]:
    with _served() as (port, process):
        heard = asyncio.run(_heard(port, key, tree, count, events))
        megabytes = sum(each for _, each in memory_of(process))
    return {"heard": heard, "megabytes": megabytes, "streams": count, "events": events}


async def _heard(port: int, key: str, tree: Trading, count: int, events: int) -> list[float]:
    """Return the seconds from each bar until each connection has heard what a set says of it."""
    await _until_the_set_speaks(port, key, tree)
    async with listening(port, key, "signals", f"set={QUIET_SET}", count) as listeners:
        before, handed = min(len(each.heard_ns) for each in listeners), []
        for _ in range(events):
            await asyncio.sleep(1.0 - time.time() % 1.0)
            handed.append(await asyncio.to_thread(_say_something, tree))
        until = time.monotonic() + 30
        while any(len(each.heard_ns) < before + events for each in listeners):
            missing = sum(len(each.heard_ns) < before + events for each in listeners)
            assert time.monotonic() < until, f"{missing} connections have not heard everything: see run.log"
            await asyncio.sleep(0.1)
        assert all(len(each.heard_ns) == before + events for each in listeners), "something was told twice"
        return [
            (heard - said) / 1e9
            for each in listeners
            for said, heard in zip(handed, each.heard_ns[before:], strict=True)
        ]


async def _until_the_set_speaks(port: int, key: str, tree: Trading) -> None:
    from tests.benchmarks.api_calls import Caller

    caller, until = Caller(port, key), time.monotonic() + _PATIENCE_SECONDS
    while not json.loads(await caller.get(f"/signals?set={QUIET_SET}"))["data"]:
        assert time.monotonic() < until, "the set says nothing: see run.log"
        await asyncio.to_thread(_say_something, tree)
        await asyncio.sleep(0.5)
    caller.close()


def _say_something(tree: Trading) -> int:
    """Hand in a bar that closes now; return when."""
    now_ns = time.time_ns()
    hand_in_bars(tree.feeds, "bench", 1_000_000_000, [QUIET], now_ns)
    return now_ns


if __name__ == "__main__":
    _measure_parts(sys.argv[1], quick=sys.argv[2] == "1")
