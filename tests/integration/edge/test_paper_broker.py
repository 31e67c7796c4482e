"""The paper broker as a process, over its socket."""

import numpy as np
import pytest

from apps.execution.contracts import ReportKind
from apps.execution.packed import pack, unpack
from apps.execution.paper import protocol
from apps.execution.paper.protocol import Code
from tests.integration.edge.paper_client import EURUSD, FAR, BrokerProcess, Client

ACCEPTED, FILLED, REJECTED = ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.REJECTED
CANCELLED = ReportKind.CANCELLED


@pytest.fixture
def broker(tmp_path):
    process = BrokerProcess(tmp_path).start()
    yield process
    if process.process.poll() is None:
        process.kill()


@pytest.fixture
def client(broker):
    connection = Client(broker.socket)
    connection.open(1, 2, 3, fee_rate_e9=20_000)
    yield connection
    connection.close()


def fills(reports):
    return [(row[1], row[2], row[5], row[6]) for row in reports if row[3] == FILLED]


def test_a_market_order_is_filled_at_the_other_side_of_the_quote(client):
    session = client.login(1, 2)
    client.quote(110_000, 110_003)
    client.submit(session, ["a", "b"], [1, 2], [5, -7])
    assert [row[1:4] for row in client.reports()] == [("a", 1, ACCEPTED), ("b", 2, ACCEPTED)]
    reports = client.reports()
    assert fills(reports) == [("a", 1, 5, 110_003), ("b", 2, -7, 110_000)]
    assert [row[7] for row in reports] == [110_003, 154_000]  # micro: 0.05 and 0.07 lots of 100,000 at 2e-5
    assert client.positions(session, 1, 2, 3) == {1: 5, 2: -7}


def test_cash_is_what_was_paid_and_what_was_deposited_once(client):
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["a"], [1], [100])
    client.reports()
    client.reports()
    paid = protocol.Deposit(rows=1, reference="swap", account=pack(np.array([1])), amount_micro=pack(np.array([-5])))
    for _ in range(2):
        client.send(paid)
        client.receive(protocol.Done)
    statement = client.statement(session, 1)
    assert unpack(statement.cash_micro, 1).tolist() == [10**12 - 110_003_000_000 - 2_200_060 - 5]


def test_an_order_is_taken_once_whatever_is_sent(client):
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["a"], [1], [5])
    first = client.reports() + client.reports()
    client.submit(session, ["a"], [1], [5])
    again = client.reports()
    assert again == first
    client.submit(session, ["b", "b"], [1, 1], [1, 1])
    client.reports()
    assert client.positions(session, 1) == {1: 6}


def test_without_idempotence_an_order_is_taken_as_often_as_it_is_sent(tmp_path):
    process = BrokerProcess(tmp_path, "--not-idempotent").start()
    client = Client(process.socket)
    client.open(1)
    session = client.login(1)
    client.quote(110_000, 110_003)
    for _ in range(2):
        client.submit(session, ["a"], [1], [5])
    assert client.positions(session, 1) == {1: 10}
    client.close()
    assert process.stop() == 0


def test_what_arrives_after_its_deadline_is_rejected(client):
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["a"], [1], [5], until=1)
    assert [row[1:5] for row in client.reports()] == [("a", 1, REJECTED, Code.DEADLINE_PASSED)]
    assert client.positions(session, 1) == {}


def test_a_session_has_ended_once_the_next_has_begun(client, broker):
    old = client.login(1, 2)
    client.quote(110_000, 110_003)
    other = Client(broker.socket)
    new = other.login(1)
    assert new > old
    assert other.query(new, ["a"], [1]) == ([0], [])
    client.submit(old, ["a", "b"], [1, 2], [5, 5])
    assert [row[1:5] for row in other.reports()] == [("a", 1, REJECTED, Code.SESSION_ENDED)]
    assert [row[1] for row in client.reports()] == ["b"]
    assert other.query(new, ["x", "y"], [1, 2])[0] == [0, 2]  # of account 2 this session cannot tell
    other.close()


def test_limit_and_stop_orders_wait_for_their_price(client):
    session = client.login(1)
    client.quote(110_000, 110_003)
    columns = {"kind": [1, 2, 3], "limit_ticks": [109_990, 0, 110_025], "stop_ticks": [0, 110_020, 110_020]}
    client.submit(session, ["limit", "stop", "stop-limit"], [1, 1, 1], [1, 2, 3], **columns)
    assert {row[3] for row in client.reports()} == {ACCEPTED}
    client.quote(110_018, 110_021, time_ns=2)
    assert fills(client.reports()) == [("stop", 1, 2, 110_021), ("stop-limit", 1, 3, 110_021)]
    client.quote(109_980, 109_983, time_ns=3)
    assert fills(client.reports()) == [("limit", 1, 1, 109_983)]


def test_orders_at_the_next_prices_sell_first_then_buy(tmp_path):
    process = BrokerProcess(tmp_path, "--at-next").start()
    client = Client(process.socket)
    client.open(1)
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["buy", "sell"], [1, 1], [5, -2])
    client.reports()
    client.quote(110_010, 110_013, time_ns=2)
    assert fills(client.reports()) == [("sell", 1, -2, 110_010), ("buy", 1, 5, 110_013)]
    client.close()
    process.kill()


def test_a_reduce_only_order_never_turns_a_position(client):
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["a"], [1], [5])
    client.reports(), client.reports()
    client.submit(session, ["b", "c"], [1, 1], [-8, -1], reduce_only=[1, 1])
    client.reports()
    reports = client.reports()
    assert fills(reports) == [("b", 1, -5, 110_000)]
    assert [(row[1], row[4]) for row in reports if row[3] == CANCELLED] == [("b", 8), ("c", 8)]
    assert client.positions(session, 1) == {}


def test_a_cancel_ends_what_works_and_a_second_one_finds_nothing(client):
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["a"], [1], [5], kind=[1], limit_ticks=[100_000])
    client.reports()
    client.cancel(session, ["a"])
    assert [row[1:4] for row in client.reports()] == [("a", 1, CANCELLED)]
    client.cancel(session, ["a"])
    assert [row[3:5] for row in client.reports()] == [(ReportKind.CANCEL_REJECTED, Code.UNKNOWN_ORDER)]


def test_a_killed_broker_knows_everything_that_it_has_answered(client, broker):
    session = client.login(1, 2)
    client.quote(110_000, 110_003)
    client.submit(session, ["a", "b"], [1, 2], [5, 6], kind=[0, 1], limit_ticks=[0, 100_000])
    told = client.reports() + client.reports()
    broker.kill()
    broker.start()
    after = Client(broker.socket)
    again = after.login(1, 2)
    assert again > session
    known, reports = after.query(again, ["a", "b", "c"], [1, 2, 1])
    assert known == [1, 1, 0]
    assert sorted(reports) == sorted(told)
    assert after.positions(again, 1, 2) == {1: 5}
    after.quote(99_990, 99_993, time_ns=2)
    assert fills(after.reports()) == [("b", 2, 6, 99_993)]
    after.close()


@pytest.mark.parametrize(
    "point",
    [
        "paper.before-sync",
        "paper.after-sync",
        *(pytest.param(point, marks=pytest.mark.soak) for point in ("paper.before-append", "paper.before-answer")),
    ],
)
def test_a_broker_that_dies_over_a_batch_has_taken_it_once_or_not_at_all(tmp_path, point):
    process = BrokerProcess(tmp_path).start()
    client = Client(process.socket)
    client.open(1)
    process.kill()
    process.start(BANYAN_CRASH_AT=f"{point}:3")  # the login, the quote, the orders
    client = Client(process.socket)
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["a"], [1], [5])
    with pytest.raises(ConnectionError):
        client.reports()
    assert process.wait() == -9
    process.start()
    client = Client(process.socket)
    session = client.login(1)
    known, reports = client.query(session, ["a"], [1])
    if point != "paper.before-append":
        assert known == [1]
    assert client.positions(session, 1) == ({1: sum(row[5] for row in reports)} if known[0] else {})
    client.close()
    process.kill()


def test_faults_come_from_their_seed(tmp_path):
    found = []
    for name in ("one", "two"):
        process = BrokerProcess(
            tmp_path / name, "--faults", '{"seed": 7, "reject": 0.2, "requote": 0.2, "partial": 0.5, "late": 0.2}'
        ).start()
        client = Client(process.socket)
        client.open(1)
        session = client.login(1)
        client.quote(110_000, 110_003)
        client.submit(session, [f"{n}" for n in range(40)], [1] * 40, [10] * 40)
        client.reports()
        _, reports = client.query(session, [f"{n}" for n in range(40)], [1] * 40)
        found.append([(row[1], row[3], row[4]) for row in reports if row[3] == REJECTED])
        first = client.reports()
        assert any(row[5] < 10 for row in first if row[3] == FILLED)
        client.close()
        process.kill()
    assert found[0] == found[1]
    assert {code for _, _, code in found[0]} == {Code.INJECTED, Code.REQUOTE}


def test_a_late_order_is_filled_after_its_cancel_was_confirmed(tmp_path):
    process = BrokerProcess(tmp_path, "--faults", '{"late": 1.0, "late_ms": 3600000}').start()
    client = Client(process.socket)
    client.open(1)
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.submit(session, ["a"], [1], [5])
    client.reports()
    client.cancel(session, ["a"])
    assert [row[3] for row in client.reports()] == [CANCELLED, FILLED]
    client.close()
    process.kill()


def test_a_lost_reply_is_found_by_asking(client):
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.send(protocol.Inject(faults=b'{"lost_reply": 1.0}'))
    client.receive(protocol.Done)
    client.submit(session, ["a"], [1], [5])
    client.send(protocol.Inject(faults=b"{}"))
    client.receive(protocol.Done)
    assert client.waiting == []
    known, reports = client.query(session, ["a"], [1])
    assert (known, fills(reports)) == ([1], [("a", 1, 5, 110_003)])


def test_a_batch_may_be_answered_by_hanging_up(client, broker):
    session = client.login(1)
    client.quote(110_000, 110_003)
    client.send(protocol.Inject(faults=b'{"disconnect": 1.0}'))
    client.receive(protocol.Done)
    client.submit(session, ["a"], [1], [5])
    with pytest.raises(ConnectionError):
        client.reports()
    other = Client(broker.socket)
    assert other.query(other.login(1), ["a"], [1])[0] == [1]
    other.close()


def test_nonsense_is_refused_and_harms_nobody_else(client, broker):
    other = Client(broker.socket)
    other.socket.sendall(b"\x00\x00\x00\x02\xff\xff")
    with pytest.raises(ConnectionError):
        other.receive(protocol.Done)
    client.send(
        protocol.Submit(
            session=1,
            deadline_ns=FAR,
            rows=2,
            terms=[EURUSD],
            client_ids=b"short",
            account=b"",
            instrument=b"",
            steps=b"",
        )
    )
    assert "client order ids" in client.receive(protocol.Refused).reason
    session = client.login(1)
    assert client.positions(session, 1) == {}
    bad = {"kind": [0, 9, 1, 0], "time_in_force": [0, 0, 0, 300]}
    client.quote(110_000, 110_003)
    client.submit(session, ["a", "b", "c", "d"], [1] * 4, [0, 1, 1, 1], **bad)
    assert [row[3:5] for row in client.reports()] == [(REJECTED, Code.BAD_ORDER)] * 4
    client.submit(session, ["e"], [77], [1])
    assert [row[2:5] for row in client.reports()] == [(77, REJECTED, Code.NO_ACCOUNT)]
