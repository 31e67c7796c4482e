"""Edge and broker killed with SIGKILL at every named point and at random: each order is executed at most once.

After every death both go on from their ledgers, and then it must hold: no more is executed of an order than was
approved; what the edge told is what the broker did; nothing is at the broker that was not SENT; every order has ended.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connections

from apps.execution.contracts import AccountOpened, OrdersReleased, OrdersReported, ReportKind, client_order_id
from apps.execution.edge.entries import EntryKind
from apps.execution.edge.ledger import Ledger
from apps.execution.packed import unpack
from banyan.codec import decode_message, encode_message
from tests.forked import Forked
from tests.integration.edge.desk import SECOND, SHARD, rows_of
from tests.integration.edge.edge_process import whole_lines
from tests.integration.edge.paper_client import EURUSD, BrokerProcess, Client
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(databases=["edge"], transaction=True)
ACCOUNTS = [1, 2, 3]
ENDS = {
    ReportKind.FILLED, ReportKind.REJECTED, ReportKind.CANCELLED, ReportKind.EXPIRED, ReportKind.NEVER_ARRIVED,
    ReportKind.REFUSED,
}  # fmt: skip


class Firm:
    """A paper broker and an edge, each a process, with orders on their way."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.broker = BrokerProcess(folder / "broker", *arguments).start()
        self.quote()
        self.approved: dict[tuple[int, int], int] = {}
        self.decision = 0
        self.edge: Forked | None = None
        for number in ACCOUNTS:
            self.give(
                AccountOpened(
                    account=f"A{number}", number=number, client="c", broker="paper", currency="USD",
                    leverage_e9=10**9, hedging=False, time_zone="UTC", balance_micro=10**12,
                )
            )  # fmt: skip

    def quote(self) -> None:
        client = Client(self.broker.socket)
        client.quote(110_000, 110_003)
        client.close()

    def start_edge(self, crash_at: str = "") -> None:
        parameters = connections["edge"].get_connection_params()
        url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}&port={parameters['port']}"
        variables = {"EDGE_DATABASE_URL": url, "BANYAN_CRASH_AT": crash_at}
        self.edge = Forked(
            "tests.integration.edge.edge_process", str(self.folder), str(self.broker.socket), **variables
        )

    def kill_edge(self) -> None:
        assert self.edge is not None
        self.edge.kill()
        self.edge.wait()

    def give(self, message: Any, seconds: float = 3.0) -> None:
        now_ns = time.time_ns()
        line = {
            "name": message.wire_name, "sent_at_ns": now_ns, "deadline_ns": now_ns + int(seconds * SECOND),
            "body": json.loads(encode_message(message)),
        }  # fmt: skip
        with (self.folder / "inputs.jsonl").open("a") as inputs:
            inputs.write(json.dumps(line) + "\n")

    def release(self, seconds: float = 3.0) -> None:
        self.decision += 1
        steps = [self.decision, -self.decision, 1]
        self.approved |= {(number, self.decision): each for number, each in zip(ACCOUNTS, steps, strict=True)}
        self.give(
            OrdersReleased(
                terms=[EURUSD], account=np.array(ACCOUNTS), instrument=np.zeros(0, np.int64),
                decision=np.full(3, self.decision), steps=np.array(steps),
            ),
            seconds,
        )  # fmt: skip

    def until_dead(self, process: Forked) -> None:
        """Release orders until a process has killed itself."""
        end = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None:
            assert time.monotonic() < end, "it does not come to the point at which it dies"
            self.release(seconds=1)
            time.sleep(0.2)
        assert process.wait() == -9

    def lines(self) -> list[dict[str, Any]]:
        """Return what the edge has told."""
        return whole_lines(self.folder / "told.jsonl")

    def told(self) -> list[tuple[int, int, ReportKind, int, int]]:
        lines = [line for line in self.lines() if line["name"] == OrdersReported.wire_name]
        messages = [decode_message(line["name"], json.dumps(line["body"]).encode()) for line in lines]
        return [row for message in messages for row in rows_of(message)]

    def ended(self) -> set[tuple[int, int]]:
        return {(account, decision) for account, decision, kind, _, _ in self.told() if kind in ENDS}

    def reconciled(self) -> bool:
        return any(line["name"].startswith("edge.accounts") for line in self.lines())

    def wait(self, done: Any) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < end, f"open: {sorted(self.approved.keys() - self.ended())}; told: {self.told()}"
            time.sleep(0.02)

    def check(self) -> Counter[ReportKind]:
        """Hold everything against everything; return how many rows of each kind were told."""
        self.wait(lambda: self.approved.keys() <= self.ended())
        self.kill_edge()
        client = Client(self.broker.socket)
        session = client.login(*ACCOUNTS)
        names = {
            client_order_id(f"A{number}", "EURUSD", decision): (number, decision) for number, decision in self.approved
        }
        _, reports = client.query(session, list(names), [number for number, _ in names.values()])
        executed: Counter[tuple[int, int]] = Counter()
        for _, name, _, kind, _, steps, _, _ in reports:
            if kind == ReportKind.FILLED:
                executed[names[name]] += steps
        told = self.told()
        heard: Counter[tuple[int, int]] = Counter()
        for account, decision, kind, steps, _ in told:
            if kind is ReportKind.FILLED:
                heard[account, decision] += steps
        assert heard == executed
        for order, steps in executed.items():
            assert 0 <= steps / self.approved[order] <= 1, order
        held = Counter(dict.fromkeys(ACCOUNTS, 0))
        for (number, _), steps in executed.items():
            held[number] += steps
        positions = client.positions(session, *ACCOUNTS)
        assert {number: steps for number, steps in held.items() if steps} == positions
        client.close()
        self._check_ledger({names[row[1]] for row in reports})
        return Counter(kind for _, _, kind, _, _ in told)

    def _check_ledger(self, at_broker: set[tuple[int, int]]) -> None:
        ledger = Ledger()
        numbers, sent = [], set()
        for line in ledger.lines(SHARD, 0):
            numbers.append(line.number)
            if line.kind is EntryKind.SLICE:
                columns = (
                    unpack(getattr(line.what, name), line.what.rows).tolist()
                    for name in ("account", "decision", "code")
                )
                rows = [(account, decision) for account, decision, code in zip(*columns, strict=True) if code == 0]
                assert sent.isdisjoint(rows), "an order was SENT twice"
                sent.update(rows)
        ledger.close()
        assert numbers == list(range(1, len(numbers) + 1))
        assert at_broker <= sent

    def close(self) -> None:
        if self.edge is not None and self.edge.poll() is None:
            self.kill_edge()
        if self.broker.process is not None and self.broker.process.poll() is None:
            self.broker.kill()


@pytest.fixture
def firm(tmp_path) -> Iterator[Firm]:
    made = Firm(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("point", "outcome"),
    [
        # Its first commit is that of its accounts' statement; then a slice is SENT, then comes what is told of it.
        ("edge.before-commit:2", None),
        ("edge.after-commit:2", ReportKind.NEVER_ARRIVED),
        ("edge.before-commit:3", ReportKind.UNKNOWN),
        ("edge.after-commit:3", None),
        ("edge.before-write:1", ReportKind.NEVER_ARRIVED),
        ("edge.mid-write:1", ReportKind.NEVER_ARRIVED),
        ("edge.mid-write:2", ReportKind.NEVER_ARRIVED),
        ("edge.after-write:1", ReportKind.UNKNOWN),
    ],
)
def test_an_edge_that_dies_with_orders_on_their_way(firm, point, outcome):
    firm.start_edge()
    firm.wait(firm.reconciled)
    firm.kill_edge()
    before = len(firm.lines())
    firm.start_edge(point)
    firm.wait(lambda: len(firm.lines()) > before)
    assert firm.edge is not None
    firm.until_dead(firm.edge)
    firm.start_edge()
    firm.release(seconds=20)
    told = firm.check()
    assert outcome is None or told[outcome]


@pytest.mark.parametrize(
    "point",
    [
        "before-sync",
        "before-answer",
        *(pytest.param(point, marks=pytest.mark.soak) for point in ("before-append", "after-sync", "after-answer")),
    ],
)
def test_a_broker_that_dies_with_orders_on_their_way(firm, point):
    firm.start_edge()
    firm.wait(firm.reconciled)
    firm.broker.kill()
    firm.broker.start(BANYAN_CRASH_AT=f"paper.{point}:4")  # after the login, with the quote, or over orders
    assert firm.broker.process is not None
    firm.until_dead(firm.broker.process)
    firm.broker.wait()
    firm.broker.start()
    firm.quote()
    firm.release(seconds=20)
    firm.check()


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 8))])
def test_both_killed_at_random_over_a_broker_that_misbehaves(tmp_path, seed):
    draw = random.Random(seed)
    faults = {
        "seed": seed, "reject": 0.1, "partial": 0.2, "late": 0.1, "lost_reply": 0.1, "disconnect": 0.1,
        "latency_ms": 5, "late_ms": 100,
    }  # fmt: skip
    firm = Firm(tmp_path, "--faults", json.dumps(faults))
    try:
        firm.start_edge()
        firm.wait(firm.reconciled)  # before that, whatever is released is refused, and nothing is tried
        for _ in range(4):
            for _ in range(draw.randrange(5, 15)):
                firm.release(seconds=1)
                time.sleep(draw.uniform(0, 0.15))
            if draw.random() < 0.5:
                firm.kill_edge()
                firm.start_edge()
            else:
                firm.broker.kill()
                firm.broker.start()
        firm.broker.kill()
        firm.broker.arguments = ()
        firm.broker.start()
        firm.quote()
        assert firm.check()[ReportKind.FILLED]
    finally:
        firm.close()
