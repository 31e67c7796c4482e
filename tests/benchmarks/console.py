"""What the console costs over a long history: pages, how soon one sees what has happened, and whom it is in the way of.

`measure` runs this file in a process of its own, on a copy of the history: it starts the whole tree of `manage.py run`
as `live` does, a server of one process beside it, and Debian's Chromium, in which somebody looks.
"""

import http.client
import random
import sys
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from tests.benchmarks.api import P99, p99, p99_told, wait_for_read_models
from tests.benchmarks.api_calls import HOST, free_port, key_of, post, served
from tests.benchmarks.console_load import READS, STREAMS, loading
from tests.benchmarks.console_seen import Screen, screen
from tests.benchmarks.history import CLIENT, SET, Size, account_of, size_of
from tests.benchmarks.live_tree import Trading, trading
from tests.benchmarks.measure import Row
from tests.benchmarks.parts import Tables, over_history, tell
from tests.benchmarks.report import Table
from tests.benchmarks.stages import STAGES
from tests.benchmarks.works import OURS, Must

INSTRUMENT = "OANDA:EURUSD"
ALL_VIEWS, SLOWEST = f"{OURS}: 99 % of all views", f"{OURS}: the slowest page"
ON, OFF = f"{READS} reads a second and {STREAMS} streams", "nobody calls"
_NICED = ("nice", "-n", "10")
_PATIENCE = 60.0
_REQUESTED = STAGES.index("orders requested")
_PAGES = (
    "/", "/orders/", f"/orders/?set={SET}", "/orders/?state=refused", "/orders/?account={account}", "{order}",
    "{followed}", "/accounts/", "/accounts/?find=B-0", "/accounts/{account}/", "/markets/", f"/markets/{INSTRUMENT}/",
    "/markets/BENCH:GBM/?interval=1m", "/markets/quarantine/", "/sets/", f"/sets/{SET}/",
    "/sets/+/?strategy=ema_cross", "/risk/", "/risk/limits/", "/research/", "/research/jobs/",
    "/research/jobs/new/?kind=sweep&strategy=ema_cross", "/extraction/", "/extraction/risk/",
    "/extraction/risk/plan/", "/alerts/", "/alerts/rule/?measure=lag", "/streams/",
    f"/streams/?context=signals&key={SET}", "/dead-letters/", "/configuration/", "/audit/", "/people/", "/you/",
    "/keys/", "/keys/new/", "/act/trading.halt/", "/act/account.halt/?account={account}", "/act/kill-switch.throw/",
    "/admin/", "/admin/feeds/instrument/",
)  # fmt: skip


def measure(*, quick: bool = False, only: Collection[str] = ()) -> Iterator[Table]:
    """Yield the tables of what the console costs; of those in `only`, if any."""
    yield from over_history("tests.benchmarks.console", partial(_parts, quick=quick), only, quick=quick)


def _parts(history: str, *, quick: bool) -> Mapping[str, Tables]:
    def bounds(*must: Must) -> tuple[Must, ...]:
        return () if quick else must

    def pages(found: dict[str, Any]) -> Iterator[Table]:
        for at, (name, title, bound) in enumerate(
            (("pages", "its first byte", 0.150), ("drawn", "it is drawn, charts too", 1.0))
        ):
            seconds = {path: [view[at] for view in views] for path, views in found.items()}
            rows = [Row(f"{OURS}: {path}", each, p99_told(each)) for path, each in seconds.items()]
            slowest = max(seconds.values(), key=lambda each: sorted(each)[len(each) // 2])
            everything = [each for views in seconds.values() for each in views]
            rows += [Row(SLOWEST, slowest), Row(ALL_VIEWS, [p99(everything)])]
            must = bounds(Must("seconds", bound, SLOWEST), Must("seconds", bound, ALL_VIEWS))
            yield Table(f"console-{name}", f"a page asked for → {title}, {history}", "s", rows, must)

    def screens(found: dict[str, Any]) -> Iterator[Table]:
        of_one, of_all = found["one"], found["all"]
        last = f"the last of {found['accounts']:,} orders"
        for name, what, seconds, bound in (("one", "an order", of_one, 0.250), ("all", last, of_all, 2.0)):
            rows = [Row(OURS, seconds, f"{len(seconds):,} times"), Row(P99, [p99(seconds)])]
            title = f"{what} requested and committed → on the screen, {history}"
            yield Table(f"console-screen-{name}", title, "s", rows, bounds(Must("seconds", bound, P99)))

    def beside(found: dict[str, Any]) -> Iterator[Table]:
        rows = []
        for name in (OFF, ON):
            rows += [Row(f"{OURS}: {name}", found[name], f"{len(found[name]):,} signals")]
            rows += [Row(f"{OURS}: {name}, 99 %", [p99(found[name])])]
        title = f"a bar handed in → the last of {found['accounts']:,} orders accepted, in turns, {history}"
        yield Table("console-beside", title, "s", rows)
        rows = [Row(OURS, [p99(found[ON]) / p99(found[OFF])], "99 % of signals")]
        must = bounds(Must("ratio", 1.2))
        yield Table("console-beside-ratio", f"the same: {ON} (the API niced) against {OFF}", "x", rows, must)

    return {"console-pages": pages, "console-screen": screens, "console-beside": beside}


def _measure_parts(names: str, *, quick: bool) -> None:
    size = size_of(quick=quick)
    with trading(size.accounts, make=None) as tree:
        wait_for_read_models()
        firm, client = key_of(), key_of(CLIENT)
        measured = {
            "console-pages": partial(_pages, size, 1 if quick else 12),
            "console-screen": partial(_screens, size, firm, tree, 3 if quick else 200, 2 if quick else 30),
            "console-beside": partial(_beside, client, tree, 1 if quick else 10, 2 if quick else 20),
        }
        tell(names, measured)


def _pages(size: Size, rounds: int) -> dict[str, Any]:
    port = free_port()
    with served(port), screen(port) as seen:
        account = account_of(size, 1)
        order = seen.link(f"/orders/?account={account}", "#live tbody tr td a")
        followed = seen.link(order, "a:text('Follow its message')")
        named = {path: path.format(account=account, order=order, followed=followed) for path in _PAGES}
        found: dict[str, Any] = {path.replace("{", "").replace("}", ""): [] for path in _PAGES}
        for number in range(rounds + 1):
            for name, path in zip(found, named.values(), strict=True):
                view = seen.open(path)
                found[name] += [view] if number else []  # the first time compiles templates and statements
    return found


def _screens(size: Size, key: str, tree: Trading, orders: int, signals: int) -> dict[str, Any]:
    port = free_port()
    with served(port), screen(port) as seen:
        seen.open("/orders/")
        seen.wait_until_live()
        names = [account_of(size, number % 10 + 1) for number in range(orders + 3)]
        of_one = [_one_seen(seen, Desk(port, key, tree), name, at) for at, name in enumerate(names)][3:]
        seen.open(f"/sets/{SET}/")
        seen.wait_until_live()
        of_all = [_all_seen(seen, tree) for _ in range(signals + 1)][1:]
    return {"one": of_one, "all": of_all, "accounts": tree.accounts}


class Desk(NamedTuple):
    """Where somebody places orders, and the tree that trades them."""

    port: int
    key: str
    tree: Trading


def _one_seen(seen: Screen, desk: Desk, account: str, number: int) -> float:
    """Return the seconds from the commit of an order by hand until it is on the screen of who looks at the blotter."""
    time.sleep(random.uniform(0.8, 1.6))  # whatever the page and the read models look at is out of step with it
    seen.watch("#live tbody", 1, account)
    body = {"account": account, "instrument": INSTRUMENT, "lots": "1000" if number % 2 else "-1000"}
    connection, handed_ns = http.client.HTTPConnection(HOST, desk.port), time.time_ns()
    post(connection, desk.key, "/orders", body, uuid.uuid4().hex)
    connection.close()
    accepted_ns, _ = desk.tree.accepted(_PATIENCE)
    committed = desk.tree.stages.stages(handed_ns, accepted_ns)[_REQUESTED]
    assert committed is not None, "an order was not requested: see run.log"
    return (seen.seen_ns() - handed_ns) / 1e9 - committed


def _all_seen(seen: Screen, tree: Trading) -> float:
    """Return the seconds from the commit of a signal's last order until the page of its set has counted all."""
    time.sleep(random.uniform(3.0, 4.0))
    seen.watch("section[aria-labelledby=c-said] tbody", 4, str(tree.accounts))
    handed_ns = time.time_ns()
    told = tree.signal_by_stages(_PATIENCE)
    assert told is not None, "orders got lost: see run.log"
    committed = told[1][_REQUESTED]
    assert committed is not None
    return (seen.seen_ns() - handed_ns) / 1e9 - committed


def _beside(key: str, tree: Trading, blocks: int, signals: int) -> dict[str, Any]:
    """Return the seconds of signals, in blocks in which clients of the API call and do not call in turns."""
    found: dict[str, Any] = {ON: [], OFF: [], "accounts": tree.accounts}
    port = free_port()
    with served(port, *_NICED), loading(port, key, *_NICED) as load:
        for block in range(2 * blocks + 1):
            name = ON if block % 2 else OFF
            if block:  # the first one warms
                load.turn("on" if name == ON else "off")
            for number in range(signals + 2):
                time.sleep(0.4)
                taken = tree.signal(_PATIENCE)
                assert taken is not None, "orders got lost: see run.log"
                found[name] += [taken] if block and number >= 2 else []
    return found


if __name__ == "__main__":
    _measure_parts(sys.argv[1], quick=sys.argv[2] == "1")
