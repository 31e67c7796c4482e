"""A broker under a test's hand: what arrives there, what it says and when, and when it hangs up."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.execution.contracts import ReportKind
from apps.execution.edge.port import (
    Answer,
    BrokerUnavailableError,
    Capabilities,
    Event,
    Executions,
    NewAccount,
    Orders,
    SessionBegan,
    Statement,
)
from banyan.columns import Ints


@dataclass
class FakeBroker:
    """It takes everything and says nothing, until told to."""

    name: str = "paper"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(opens_accounts=True))
    is_up: bool = True
    session: int = 0
    open: set[int] = field(default_factory=set)
    arrived: list[tuple[int, str, int, int]] = field(default_factory=list)  # (session, id, account, steps)
    cancelled: list[str] = field(default_factory=list)
    cancelled_in: list[int] = field(default_factory=list)  # sessions
    holds_logins: bool = False  # what is said after a login waits
    held: dict[int, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    swallows: bool = False  # orders get lost on their way
    answers_queries: bool = True
    history: list[tuple[Any, ...]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def connect(self) -> None:
        if not self.is_up:
            raise BrokerUnavailableError("it is down")
        self.events = []

    def fileno(self) -> int:
        return -1

    def open_accounts(self, accounts: list[NewAccount]) -> None:
        self._write("open")
        self.open.update(account.number for account in accounts)

    def login(self, accounts: Ints) -> None:
        self._write("login")
        self.session += 1
        self.events.append(SessionBegan(self.session, [each for each in accounts.tolist() if each not in self.open]))

    def submit(self, orders: Orders) -> None:
        self._write("submit")
        if not self.swallows:
            columns = zip(orders.client_ids.tolist(), orders.account.tolist(), orders.steps.tolist(), strict=True)
            self.arrived += [(orders.session, each.decode(), account, steps) for each, account, steps in columns]

    def cancel(self, session: int, client_ids: Any) -> None:
        self._write("cancel")
        self.cancelled += [each.decode() for each in client_ids.tolist()]
        self.cancelled_in.append(session)

    def query(self, request: int, session: int, client_ids: Any, accounts: Ints) -> None:
        self._write("query")
        if self.answers_queries:
            asked = [each.decode() for each in client_ids.tolist()]
            known = {each[1] for each in self.arrived}
            column = np.array([int(each in known) for each in asked], np.int64)
            found = [row for row in self.history if row[1] in asked]
            self.events.append(Answer(request, session, column, self._executions(found)))

    def ask_statement(self, request: int, session: int, accounts: Ints, since: int) -> None:
        self._write("statement")
        held = [(number, steps) for number, steps in self.held.items() if steps]
        account, steps = (np.array([row[k] for row in held], np.int64) for k in (0, 1))
        none = np.zeros(len(held), np.int64)
        self.events.append(
            Statement(
                request,
                session,
                len(self.history),
                ["EURUSD"],
                account,
                none,
                steps,
                self._executions(self.history[since:]),
            )
        )

    def receive(self) -> list[Event]:
        if not self.is_up:
            raise BrokerUnavailableError("it is down")
        if self.holds_logins and any(isinstance(each, SessionBegan) for each in self.events):
            return []
        events, self.events = self.events, []
        return events

    def close(self) -> None:
        """Nothing is kept open."""

    def say(self, *rows: tuple[Any, ...], is_told: bool = True) -> None:
        """Let something happen to orders: (execution id, client id, account, kind, steps)."""
        self.history += rows
        for row in rows:
            if row[3] == ReportKind.FILLED:
                self.held[row[2]] = self.held.get(row[2], 0) + row[4]
        if is_told:
            self.events.append(self._executions(list(rows)))

    def _executions(self, rows: list[tuple[Any, ...]]) -> Executions:
        return executions([self.history.index(row) + 1 for row in rows], *rows)

    def _write(self, what: str) -> None:
        if not self.is_up:
            raise BrokerUnavailableError("it is down")
        self.written.append(what)


def executions(marks: list[int], *rows: tuple[Any, ...]) -> Executions:
    n = len(rows)
    execution, client_id, account, kind, steps = zip(*rows, strict=True) if rows else ([], [], [], [], [])
    none = np.zeros(n, np.int64)
    return Executions(
        instruments=["EURUSD"],
        execution_ids=np.array(execution, "S24"),
        marks=np.array(marks, np.int64),
        client_ids=np.array(client_id, "S24"),
        account=np.array(account, np.int64),
        instrument=none,
        kind=np.array(kind, np.int64),
        steps=np.array(steps, np.int64),
        price_e9=np.full(n, 1_100_000_000, np.int64),
        fee_micro=none,
        amount_micro=none,
        at_ns=none,
        code=none,
        texts=[],
    )
