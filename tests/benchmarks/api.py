"""What the REST API costs over a long history: lists and details, orders by POST, bars in one piece, and streams.

`measure` runs this file in a process of its own, which starts the whole tree of `manage.py run` as `live` does, lets it
trade until there is a history, and calls a server of one process beside it. Half of the lists are asked for by a key of
the firm and half by one of a client, and the tree, which has nothing to do then, stays up.
"""

import asyncio
import http.client
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.api_calls import HOST, as_fast_as_it_goes, at_a_rate, listening, post, served
from tests.benchmarks.live_tree import Trading, make_history, prepare, trading
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.tree import hand_in_bars, measured_apart, memory_of
from tests.benchmarks.works import OURS, Must

ACCOUNTS, ORDERS, BARS, STREAMS = 10_000, 1_000_000, 1_000_000, 1_000
PER_SECOND = 50
QUIET = "BENCH:QUIET"
CLIENTS = 100
"""Accounts of the client whose key asks; each of the others has a client of its own."""
_PATIENCE_SECONDS = 900.0
SLOWEST = f"{OURS}: 99 % of the slowest address"
P99 = f"{OURS}: 99 % of them"


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the tables of what calls of the API cost."""
    sizes = (40, 80, 2_000, 5, 2) if quick else (ACCOUNTS, ORDERS, BARS, STREAMS, 200)
    found = measured_apart("tests.benchmarks.api", *sizes)
    history = f"{found['accounts']:,} accounts, {found['orders']:,} orders"

    def bounds(*must: Must) -> tuple[Must, ...]:
        return () if quick else must

    rows = [Row(f"{OURS}: {name}", seconds, _p99_told(seconds)) for name, seconds in found["reads"].items()]
    slowest = max(_p99(seconds) for seconds in found["reads"].values())
    title = f"lists and details at {PER_SECOND} calls a second, over {history}"
    yield Table("api-reads", title, "s", [*rows, Row(SLOWEST, [slowest])], bounds(Must("seconds", 0.050, SLOWEST)))
    details = Row(OURS, found["details"], "accounts and orders, one process, the caller on another core")
    yield Table("api-details", f"details a second, over {history}", "/s", [details], bounds(Must("per_second", 500)))
    rows = [Row(OURS, found["orders_sent"]), Row(P99, [_p99(found["orders_sent"])])]
    yield Table("api-orders", "an order by POST → SENT committed", "s", rows, bounds(Must("seconds", 0.050, P99)))
    rows = [Row(OURS, found["arrow"][1:], "from the local copy"), Row(f"{OURS}: the first time", found["arrow"][:1])]
    yield Table("api-arrow", f"{found['bars']:,} bars as a stream of Arrow", "s", rows, bounds(Must("seconds", 1.0)))
    told = f"{found['streams']:,} connections, each of which heard {found['events']} events, one a second"
    rows = [Row(OURS, [found["megabytes"]], told)]
    yield Table("api-streams", "memory of the server with its streams", "MB", rows, limit=None if quick else 400.0)
    rows = [Row(OURS, found["heard"]), Row(P99, [_p99(found["heard"])])]
    yield Table("api-heard", f"a bar handed in → heard of by {found['streams']:,} connections", "s", rows)


def _p99(samples: list[float]) -> float:
    return quantiles(samples, n=100, method="inclusive")[-1]


def _p99_told(samples: list[float]) -> str:
    return f"99 %: {1000 * _p99(samples):.1f} ms"


def _measured(accounts: int, orders: int, bars: int, streams: int, rounds: int) -> dict[str, Any]:
    with trading(accounts, _prepare) as tree:
        made, _ = make_history(tree.feeds, tree.probe, accounts, orders)
        _bars_imported(bars)
        _wait_for_read_models()
        firm, client = _key(), _key("acme")
        found: dict[str, Any] = {"accounts": accounts, "orders": made, "bars": bars, "streams": streams}
        with _served() as (port, process):
            found["reads"] = _reads(port, firm, client, rounds)
            found["details"] = _details(port, firm, 3 if rounds < 10 else 20)
            found["orders_sent"] = _orders_sent(port, firm, tree, 5 if rounds < 10 else 500)
            found["arrow"] = _arrow(port, firm, 3 if rounds < 10 else 9)
        with _served() as (port, process):
            events = 3 if rounds < 10 else 30
            heard = asyncio.run(_heard(port, firm, tree, streams, events))
            found |= {"heard": heard, "events": events, "megabytes": sum(each for _, each in memory_of(process))}
    return found


def _prepare(accounts: int, call_command: Any) -> None:
    """Open accounts that trade, some of one client; and have a set that nobody follows say something at each bar."""
    from apps.feeds.models import Instrument
    from tests.benchmarks.tree import HERE

    of_one, quiet = min(CLIENTS, accounts // 2), {"stdout": io.StringIO()}
    prepare(accounts - of_one, call_command)
    call_command("accounts", "open", "ACME", count=of_one, client="acme", deposit=100_000.0, **quiet)
    call_command("accounts", "subscribe", "ACME", count=of_one, set="bench", **quiet)
    Instrument.objects.create(id=QUIET, tick_size=1e-5, lot_step=1.0, lot_min=1.0)
    call_command("sets", "define", "quiet", strategy=str(HERE / "flip.py"), instrument=[QUIET], interval="1s", **quiet)
    call_command("sets", "start", "quiet", **quiet)


def _bars_imported(count: int) -> None:
    from apps.feeds.imports import Options, import_file
    from apps.feeds.models import Instrument
    from apps.feeds.records import Kind
    from tests.benchmarks.data import write_csv

    instrument = Instrument.objects.create(id="BENCH:GBM")
    with tempfile.TemporaryDirectory() as folder:
        outcome = import_file(write_csv(Path(folder), count), instrument, 60_000_000_000, (Kind.BARS,), Options())
    assert outcome.rows_added == count, outcome


def _wait_for_read_models() -> None:
    from django.db import connections

    from apps.reporting import interface as reporting

    until = time.monotonic() + _PATIENCE_SECONDS
    with connections["execution"].cursor() as cursor:
        cursor.execute("SELECT key, max(number) FROM banyan_log GROUP BY key")
        heads = {key: (number,) for key, number in cursor.fetchall()}
    while any(reporting.log_marks().get(key, (0,)) < head for key, head in heads.items()):
        assert time.monotonic() < until, "the read models are not drained: see run.log"
        time.sleep(1.0)
    with connections["reporting"].cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does when it comes by


def _key(client: str = "") -> str:
    from apps.api.keys import SCOPES, Wanted, make

    scopes = ("read", "trade") if client else SCOPES
    return make(Wanted("bench", scopes, client, calls_per_minute=1_000_000))[1]


@contextmanager
def _served() -> Iterator[tuple[int, int]]:
    port = _free_port()
    with served(port, 0 if (os.cpu_count() or 1) > 1 else None) as server:
        yield port, server.pid


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


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


def _reads(port: int, firm: str, client: str, rounds: int) -> dict[str, list[float]]:
    account = _accounts("ACME")[0]
    of_account = [f"/accounts/{account}{each}" for each in _OF_ACCOUNT]
    of_account += [f"{each}?account={account}" for each in ("/orders", "/fills", "/positions", "/refusals", "/skips")]
    of_account += [f"/pnl?by=day&account={account}", _orders(account)[0]]
    found: dict[str, list[float]] = {}
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


def _details(port: int, key: str, seconds: int) -> list[float]:
    names, orders, chance = _accounts("B"), _orders(), random.Random(1)

    def path_of() -> str:
        return f"/accounts/{chance.choice(names)}" if chance.random() < 0.5 else chance.choice(orders)

    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {max(cores)})
        return asyncio.run(as_fast_as_it_goes(port, key, path_of, 6, seconds))
    finally:
        os.sched_setaffinity(0, cores)


def _orders_sent(port: int, key: str, tree: Trading, count: int) -> list[float]:
    """Return the seconds from a POST to the commit of SENT, each order by itself, twenty a second at most."""
    names, connection, seconds = _accounts("B"), http.client.HTTPConnection(HOST, port), []
    for number in range(count):
        lots = "1000" if number // len(names) % 2 == 0 else "-1000"
        body = {"account": names[number % len(names)], "instrument": "OANDA:EURUSD", "lots": lots}
        handed_ns = time.time_ns()
        post(connection, key, "/orders", body, uuid.uuid4().hex)
        accepted_ns, _ = tree.accepted(30.0)
        (*_, sent) = tree.stages.stages(handed_ns, accepted_ns)
        assert sent is not None, "an order was not sent: see run.log"
        seconds.append(sent)
        time.sleep(0.05)
    connection.close()
    return seconds


def _arrow(port: int, key: str, times: int) -> list[float]:
    import pyarrow as pa

    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        connection = http.client.HTTPConnection(HOST, port)
        headers = {"Authorization": f"Bearer {key}"}
        connection.request("GET", "/api/v1/instruments/BENCH:GBM/bars?interval=1m&format=arrow", headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        seconds.append(time.perf_counter() - begun)
        assert answer.status == 200
        assert pa.ipc.open_stream(content).read_all().num_rows > 1
        connection.close()
    return seconds


# ---- streams --------------------------------------------------------------------------------------------------------


async def _heard(port: int, key: str, tree: Trading, count: int, events: int) -> list[float]:
    """Return the seconds from each bar until each connection has heard what a set says of it."""
    await _until_the_set_speaks(port, key, tree)
    async with listening(port, key, "signals", "set=quiet", count) as listeners:
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
    while not json.loads(await caller.get("/signals?set=quiet"))["data"]:
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
    sys.stdout.write(json.dumps(_measured(*map(int, sys.argv[1:6]))) + "\n")
    shutil.rmtree(os.environ["BANYAN_DATA_DIR"], ignore_errors=True)
