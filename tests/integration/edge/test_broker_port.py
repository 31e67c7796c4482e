"""The suite that every adapter of the broker port passes, on a real broker of its kind."""

import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from apps.execution.contracts import ReportKind, client_order_id
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.port import (
    Answer,
    Broker,
    BrokerUnavailableError,
    Executions,
    NewAccount,
    Orders,
    SessionBegan,
    Statement,
)
from banyan.columns import Ints
from tests.integration.edge.paper_client import EURUSD, FAR, BrokerProcess, Client
from tests.patience import PATIENCE_SECONDS

ACCEPTED, FILLED, REJECTED, CANCELLED = (
    ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.REJECTED, ReportKind.CANCELLED,
)  # fmt: skip


class Venue(Protocol):
    """A broker of some kind with EURUSD at 1.10000 / 1.10003, which can fail as one."""

    def connection(self) -> Broker: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...


class PaperVenue:
    def __init__(self, folder: Path) -> None:
        self.process = BrokerProcess(folder)
        self.start()

    def connection(self) -> Broker:
        return PaperBroker(self.process.socket)

    def start(self) -> None:
        self.process.start()
        client = Client(self.process.socket)
        client.quote(110_000, 110_003)
        client.close()

    def stop(self) -> None:
        self.process.kill()


@pytest.fixture(params=[PaperVenue], ids=["paper"], scope="module")
def venue(request, tmp_path_factory) -> Iterator[Any]:
    made = request.param(tmp_path_factory.mktemp("venue"))
    yield made
    made.stop()


class Line:
    """A connection with what has come over it."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.heard: list[Any] = []
        broker.connect()

    def next(self, kind: Any) -> Any:
        """Return the next event of a kind."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            for at, event in enumerate(self.heard):
                if isinstance(event, kind):
                    return self.heard.pop(at)
            assert time.monotonic() < end, f"no {kind.__name__}: {self.heard}"
            select.select([self.broker.fileno()], [], [], 0.1)
            self.heard += self.broker.receive()

    def login(self, *accounts: int) -> int:
        self.broker.login(np.array(accounts, np.int64))
        return self.next(SessionBegan).session

    def submit(self, session: int, *rows: tuple[int, int, int], until: int = FAR, **columns: list[int]) -> None:
        self.broker.submit(orders(session, rows, until, **columns))

    def reports(self, n: int) -> list[tuple[bytes, ReportKind, int]]:
        """Return the next `n` reports as (id, kind, steps)."""
        found: list[tuple[bytes, ReportKind, int]] = []
        while len(found) < n:
            told = self.next(Executions)
            kinds = [ReportKind(kind) for kind in told.kind.tolist()]
            found += zip(told.client_ids.tolist(), kinds, told.steps.tolist(), strict=True)
        return found


def orders(session: int, rows: Any, until: int = FAR, **columns: list[int]) -> Orders:
    """Return orders (account, decision, steps) in EURUSD."""
    account, decision, steps = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    ids = [identity(a, d) for a, d in zip(account.tolist(), decision.tolist(), strict=True)]
    zero: Ints = np.zeros(account.size, np.int64)
    names = (
        "kind", "limit_ticks", "stop_ticks", "time_in_force", "expires_ns", "reduce_only", "trail_ticks", "base_steps",
        "tag",
    )  # fmt: skip
    more = {name: np.array(columns.get(name, zero), np.int64) for name in names}
    return Orders(session, until, [EURUSD], np.array(ids, "S24"), account, zero, steps, **more)


def identity(account: int, decision: int) -> bytes:
    return client_order_id(f"A{account}", "EURUSD", decision).encode()


_NEXT = iter(range(1, 10_000))


@pytest.fixture
def account() -> int:
    return next(_NEXT)


@pytest.fixture
def line(venue, account) -> Iterator[Line]:
    made = Line(venue.connection())
    if made.broker.capabilities.opens_accounts:
        made.broker.open_accounts([NewAccount(account, 10**12, 0)])
    yield made
    made.broker.close()


def test_sessions_have_rising_numbers_and_name_accounts_that_are_missing(line, account):
    first = line.login(account)
    line.broker.login(np.array([account, 99_999_999]))
    began = line.next(SessionBegan)
    assert began.session > first
    assert began.missing == [99_999_999]


def test_a_market_order_is_accepted_and_filled(line, account):
    line.submit(line.login(account), (account, 1, 5))
    assert line.reports(2) == [(identity(account, 1), ACCEPTED, 0), (identity(account, 1), FILLED, 5)]


def test_execution_ids_are_unique(line, account):
    line.submit(line.login(account), (account, 1, 5), (account, 2, 5))
    ids = []
    while len(ids) < 4:
        ids += line.next(Executions).execution_ids.tolist()
    assert len(set(ids)) == 4
    assert b"" not in ids


def test_an_order_is_rejected_after_its_deadline(line, account):
    if not line.broker.capabilities.deadlines:
        pytest.skip("the broker takes no deadlines")
    line.submit(line.login(account), (account, 1, 5), until=1)
    assert line.reports(1) == [(identity(account, 1), REJECTED, 0)]


def test_an_order_of_an_ended_session_is_rejected(line, venue, account):
    if not line.broker.capabilities.login_epochs:
        pytest.skip("sessions of the broker do not end one another")
    old = line.login(account)
    other = Line(venue.connection())
    new = other.login(account)
    line.submit(old, (account, 1, 5))
    assert other.reports(1) == [(identity(account, 1), REJECTED, 0)]
    other.broker.ask_statement(1, new, np.array([account]), 0)
    assert other.next(Statement).account.size == 0
    other.broker.close()


def test_an_order_that_rests_can_be_cancelled_and_a_second_cancel_is_rejected(line, account):
    session = line.login(account)
    line.submit(session, (account, 1, 5), kind=[1], limit_ticks=[100_000])
    assert line.reports(1) == [(identity(account, 1), ACCEPTED, 0)]
    for kind in (CANCELLED, ReportKind.CANCEL_REJECTED):
        line.broker.cancel(session, np.array([identity(account, 1)], "S24"))
        assert [row[1] for row in line.reports(1)] == [kind]


def test_a_query_tells_known_from_unknown_and_gives_everything_that_happened(line, account):
    session = line.login(account)
    line.submit(session, (account, 1, 5))
    told = line.reports(2)
    ids = np.array([identity(account, 1), identity(account, 2)], "S24")
    line.broker.query(7, session, ids, np.array([account, account]))
    answer = line.next(Answer)
    assert (answer.request, answer.session, answer.known.tolist()) == (7, session, [1, 0])
    assert [row[1] for row in told] == answer.executions.kind.tolist()


def test_a_session_that_has_ended_cannot_tell_that_an_order_never_arrives(line, venue, account):
    if not line.broker.capabilities.login_epochs:
        pytest.skip("sessions of the broker do not end one another")
    old = line.login(account)
    other = Line(venue.connection())
    other.login(account)
    line.broker.query(1, old, np.array([identity(account, 1)], "S24"), np.array([account]))
    assert line.next(Answer).known.tolist() == [2]
    other.broker.close()


def test_a_statement_gives_positions_and_what_happened_since(line, account):
    session = line.login(account)
    line.submit(session, (account, 1, 5))
    line.reports(2)
    line.broker.ask_statement(1, session, np.array([account]), 0)
    first = line.next(Statement)
    assert (first.account.tolist(), first.steps.tolist()) == ([account], [5])
    assert first.executions.kind.tolist() == [ACCEPTED, FILLED]
    line.submit(session, (account, 2, -5))
    line.reports(2)
    line.broker.ask_statement(2, session, np.array([account]), first.upto)
    second = line.next(Statement)
    assert second.account.tolist() == []
    assert second.executions.client_ids.tolist() == [identity(account, 2)] * 2


def test_reports_that_nobody_heard_are_found_by_asking(line, venue, account):
    line.submit(line.login(account), (account, 1, 5))
    line.broker.close()
    other = Line(venue.connection())
    session = other.login(account)
    ids, accounts = np.array([identity(account, 1)], "S24"), np.array([account])
    other.broker.query(1, session, ids, accounts)
    known = other.next(Answer).known.tolist()
    assert known in ([0], [1])
    if known == [0]:  # then it never will be: its session has ended
        other.broker.query(2, session, ids, accounts)
        assert other.next(Answer).known.tolist() == [0]
    other.broker.close()


@pytest.fixture
def hedging(line) -> int:
    """A hedging account; a broker that has none is not asked."""
    if not line.broker.capabilities.hedging:
        pytest.skip("the broker has no hedging accounts")
    number = next(_NEXT)
    line.broker.open_accounts([NewAccount(number, 10**12, 0, hedging=True)])
    return number


def test_tickets_of_a_hedging_account_stand_beside_one_another(line, hedging):
    session = line.login(hedging)
    line.submit(session, (hedging, 1, 10), (hedging, 2, -4), tag=[1, 2])
    assert sorted(row[2] for row in line.reports(4)) == [-4, 0, 0, 10]
    line.submit(session, (hedging, 3, 4), tag=[2], reduce_only=[1])
    assert line.reports(2) == [(identity(hedging, 3), ACCEPTED, 0), (identity(hedging, 3), FILLED, 4)]
    line.broker.ask_statement(1, session, np.array([hedging]), 0)
    assert line.next(Statement).steps.tolist() == [10]


def test_a_close_takes_no_more_than_its_ticket_has(line, hedging):
    session = line.login(hedging)
    line.submit(session, (hedging, 1, 10), (hedging, 2, 10), tag=[1, 2])
    line.reports(4)
    line.submit(session, (hedging, 3, -15), tag=[1], reduce_only=[1])
    assert [row[1:] for row in line.reports(3)] == [(ACCEPTED, 0), (FILLED, -10), (CANCELLED, 0)]
    line.submit(session, (hedging, 4, -5), tag=[1], reduce_only=[1])
    assert [row[1:] for row in line.reports(2)] == [(ACCEPTED, 0), (CANCELLED, 0)]


def test_a_close_that_rests_can_be_cancelled(line, hedging):
    session = line.login(hedging)
    line.submit(session, (hedging, 1, 10), tag=[1])
    line.reports(2)
    limit = {"kind": [1], "limit_ticks": [200_000]}
    line.submit(session, (hedging, 2, -10), tag=[1], reduce_only=[1], **limit)
    assert line.reports(1) == [(identity(hedging, 2), ACCEPTED, 0)]
    line.broker.cancel(session, np.array([identity(hedging, 2)], "S24"))
    assert line.reports(1) == [(identity(hedging, 2), CANCELLED, 0)]


def test_an_order_of_a_hedging_account_that_names_no_ticket_is_rejected(line, hedging):
    line.submit(line.login(hedging), (hedging, 1, 5))
    assert line.reports(1) == [(identity(hedging, 1), REJECTED, 0)]


def test_a_broker_that_is_away_is_said_to_be(venue, account):
    made = Line(venue.connection())
    venue.stop()
    try:
        with pytest.raises(BrokerUnavailableError):
            made.next(Statement)
        with pytest.raises(BrokerUnavailableError):
            made.broker.submit(orders(1, [(account, 1, 1)]))
        with pytest.raises(BrokerUnavailableError):
            made.broker.connect()
        assert made.broker.fileno() == -1
    finally:
        venue.start()
    made.broker.connect()
    made.broker.close()
