"""An edge in this process for tests, and the messages that execution would give it."""

import itertools
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.execution.contracts import (
    AccountOpened,
    AccountsReconciled,
    CancelsReleased,
    OrdersReleased,
    OrdersReported,
    ReportKind,
    client_order_id,
)
from apps.execution.edge.edge import Edge, EdgeSettings
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.port import Broker
from banyan.clock import Clock, SystemClock
from banyan.codec import Envelope, decode_message, encode_message
from banyan.messages import Message
from tests.integration.edge.fake_broker import FakeBroker
from tests.integration.edge.paper_client import EURUSD
from tests.patience import PATIENCE_SECONDS

SHARD = "00"
SECOND = 1_000_000_000


def name(account: int, decision: int) -> str:
    """Return what brokers know an order in EURUSD by."""
    return client_order_id(f"A{account}", "EURUSD", decision)


def arrived(fake: FakeBroker) -> list[tuple[str, int]]:
    """Return what has arrived at a broker, as (id, steps)."""
    return [(client_id, steps) for _, client_id, _, steps in fake.arrived]


class Open:
    """A kill switch that nobody has thrown."""

    def is_clear(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        """There is nothing to close."""


class Desk:
    """An edge of one shard, what it was told, and what it has told."""

    def __init__(
        self, brokers: Sequence[Broker], *, clock: Clock | None = None, switch: Any = None, owner: str = "one",
        settings: EdgeSettings | None = None, keys: Sequence[str] = (SHARD,),
    ) -> None:  # fmt: skip
        self.clock = clock or SystemClock()
        self.edge = Edge(
            Ledger(), brokers, switch or Open(), self.clock, owner=owner,
            settings=settings or EdgeSettings(settle_ns=SECOND // 10, recheck_ns=SECOND // 20),
        )  # fmt: skip
        self.edge.open(keys)
        self.told: list[tuple[Envelope, Message]] = []
        self.numbers = itertools.count(1)

    def poll(self) -> None:
        self.edge.poll()
        self.hear()

    def hear(self) -> None:
        """Take what the edge tells, through the codec."""
        outgoing, self.edge.outgoing = self.edge.outgoing, []
        self.told += [(each.envelope, decode_message(each.envelope.name, each.body)) for each in outgoing]

    def until(self, done: Callable[[], Any]) -> None:
        """Work until something holds."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < end, f"it has not come to this: {self.rows()}"
            select.select(self.edge.filenos(), [], [], min(0.02, self.edge.patience_ns() / 1e9))
            self.poll()

    def give(self, message: Message, key: str = SHARD, **fields: Any) -> Envelope:
        """Hand a message in, through the codec."""
        number = next(self.numbers)
        envelope = Envelope(
            name=message.wire_name, id=fields.pop("id", f"m{number}"), key=key,
            sent_at_ns=fields.pop("sent_at_ns", self.clock.wall_ns()), **fields,
        )  # fmt: skip
        self.edge.handle(envelope, decode_message(message.wire_name, encode_message(message)))
        return envelope

    def open(self, *accounts: int, key: str = SHARD, broker: str = "paper") -> None:
        for number in accounts:
            opened = AccountOpened(
                account=f"A{number}", number=number, client="c", broker=broker, currency="USD", leverage_e9=10**9,
                hedging=False, time_zone="UTC", balance_micro=10**12,
            )  # fmt: skip
            self.give(opened, key)

    def ready(self, *accounts: int) -> None:
        """Open accounts and wait until they may trade."""
        self.poll()
        self.open(*accounts)
        self.until(lambda: set(accounts) <= self.reconciled())

    def release(
        self, rows: Sequence[tuple[int, int, int]], *, seconds: float = 5.0, key: str = SHARD,
        envelope: dict[str, Any] | None = None, **columns: Any,
    ) -> Envelope:  # fmt: skip
        """Release orders (account, decision, steps) in EURUSD."""
        account, decision, steps = (np.array(column, np.int64) for column in zip(*rows, strict=True))
        more = {name: np.array(column, np.int64) for name, column in columns.items()}
        message = OrdersReleased(
            terms=[EURUSD], account=account, instrument=np.zeros(0, np.int64), decision=decision, steps=steps, **more
        )
        deadline_ns = self.clock.wall_ns() + int(seconds * SECOND)
        return self.give(message, key, deadline_ns=deadline_ns, **(envelope or {}))

    def cancel(self, *orders: tuple[int, int]) -> Envelope:
        account, decision = (np.array(column, np.int64) for column in zip(*orders, strict=True))
        none = np.zeros(0, np.int64)
        return self.give(CancelsReleased(instruments=["EURUSD"], account=account, instrument=none, decision=decision))

    def rows(self) -> list[tuple[int, int, ReportKind, int, int]]:
        """Return (account, decision, kind, steps, code) of all rows told of orders."""
        return [row for _, message in self.told if isinstance(message, OrdersReported) for row in rows_of(message)]

    def kinds(self, account: int, decision: int) -> list[ReportKind]:
        return [kind for number, which, kind, _, _ in self.rows() if (number, which) == (account, decision)]

    def filled(self, account: int, decision: int) -> int:
        return sum(row[3] for row in self.rows() if row[:3] == (account, decision, ReportKind.FILLED))

    def reconciled(self) -> set[int]:
        statements = [message for _, message in self.told if isinstance(message, AccountsReconciled)]
        return {number for message in statements for number in message.accounts.tolist()}

    def positions(self) -> dict[int, int]:
        """Return what the last statement of each account says it holds."""
        held: dict[int, int] = {}
        for _, message in self.told:
            if isinstance(message, AccountsReconciled):
                held.update(dict.fromkeys(message.accounts.tolist(), 0))
                held.update(zip(message.account.tolist(), message.steps.tolist(), strict=True))
        return held

    def close(self) -> None:
        self.edge.close()


def rows_of(message: OrdersReported) -> list[tuple[int, int, ReportKind, int, int]]:
    n = message.account.size
    steps, code = (column if column.size else np.zeros(n, np.int64) for column in (message.steps, message.code))
    columns = (message.account, message.decision, message.kind, steps, code)
    return [(a, d, ReportKind(k), s, c) for a, d, k, s, c in zip(*(each.tolist() for each in columns), strict=True)]


def paper_desk(address: Path, **options: Any) -> Desk:
    return Desk([PaperBroker(address)], **options)


def refusals(desk: Desk) -> list[tuple[int, int, int]]:
    """Return what the edge refused, as (account, decision, code)."""
    return [(account, decision, code) for account, decision, kind, _, code in desk.rows() if kind is ReportKind.REFUSED]
