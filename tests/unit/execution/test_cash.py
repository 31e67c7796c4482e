"""Cash that comes without a fill: payments, swap and dividends, from the paper broker to accounts, books and values."""

import numpy as np
import pytest

from apps.execution.contracts import (
    AccountValued,
    CashBooked,
    CashKind,
    GateAccounts,
    OrdersFilled,
    OrdersReported,
    OrdersRequested,
    ReportKind,
)
from apps.execution.packed import pack, unpack
from apps.execution.paper import protocol
from apps.execution.paper.book import Book
from apps.execution.paper.broker import Broker, Options, Work
from apps.execution.paper.faults import Faults
from banyan.columns import ints
from banyan.messages import RowsParked
from tests.unit.execution.desk import EURUSD, GOLD, Desk, of_type, only


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.open(1, 2, deposit=100_000)
    for name in ("trend", "carry"):
        made.configure(name)
        made.subscribe(name, 1, 2, allocation_e9=500_000_000)
    return made


def cash(*rows: tuple[int, str, int, int], ids: tuple[str, ...] = ()) -> OrdersReported:
    """Return a report of (account, instrument, kind, amount)."""
    names = sorted({name for _, name, _, _ in rows})
    count = len(rows)
    return OrdersReported(
        instruments=names,
        account=ints([account for account, _, _, _ in rows]),
        instrument=ints([names.index(name) for _, name, _, _ in rows]),
        decision=ints([0] * count),
        kind=ints([ReportKind.CASH] * count),
        steps=ints([kind for _, _, kind, _ in rows]),
        amount_micro=ints([amount for _, _, _, amount in rows]),
        at_ns=ints([5] * count),
        execution_id=list(ids) or [f"c{at}" for at in range(count)],
    )


def test_a_payment_changes_the_balance_of_the_account_and_is_told_as_paid_in(desk: Desk) -> None:
    events = desk.feed(cash((1, "", CashKind.PAYMENT, -7_000_000), (1, "", CashKind.PAYMENT, 2_000_000)))
    assert desk.balance(1) == 100_000 * 10**6 - 5_000_000
    valued = only(events, AccountValued)
    assert (valued.account.tolist(), valued.paid_in_micro.tolist()) == ([1], [-5_000_000])
    assert valued.equity_micro.tolist() == [desk.balance(1)]
    assert not desk.state.lines.rows["cash_micro"].any()


def test_swap_and_dividends_go_to_the_books_that_hold_to_the_last_unit(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.2))
    desk.trade(desk.target("carry", 1, EURUSD=-0.1))
    before = {name: int(desk.line(1, EURUSD.id, name).cash_micro) for name in ("trend", "carry")}
    booked = only(desk.feed(cash((1, EURUSD.id, CashKind.SWAP, -1_000_001))), CashBooked)
    assert [booked.books[at] for at in booked.book] == ["trend", "carry"]
    assert booked.amount_micro.tolist() == [-666_668, -333_333]
    for name, part in zip(("trend", "carry"), booked.amount_micro.tolist(), strict=True):
        assert desk.line(1, EURUSD.id, name).cash_micro == before[name] + part
    valued = of_type(desk.events, AccountValued)[-1]
    assert valued.paid_in_micro.size == 0, "it is profit or loss"


def plain_parts(desk: Desk, account: int, name: str, kind: int, amount: int) -> list[tuple[int, str, str, int]]:
    """Return (account, instrument, book, amount) of the parts of cash, worked out one by one."""
    if kind == CashKind.PAYMENT:
        return [(account, "", "", amount)]
    state, owner = desk.state, int(desk.state.rows_of(ints([account]))[0])
    known = state.instruments.known(name)
    cell = int(state.cell_rows[known, owner]) if known >= 0 else -1
    held = [line for line in state.lines.rows if line.cell == cell >= 0 and line.held]
    whole, done, parts = sum(abs(int(line.held)) for line in held), 0, []
    for line in held:
        upto = done + abs(int(line.held))
        parts.append((account, name, state.books.names[line.book], amount * upto // whole - amount * done // whole))
        done = upto
    return parts or [(account, name, "external", amount)]


@pytest.mark.parametrize("seed", range(8))
def test_many_rows_of_cash_are_split_as_each_would_be(seed: int) -> None:
    dice = np.random.default_rng(seed)
    desk, accounts = Desk(), range(1, 9)
    desk.open(*accounts, deposit=100_000)
    for name in ("trend", "carry", "slow"):
        desk.configure(name, EURUSD, GOLD)
        desk.subscribe(name, *[each for each in accounts if dice.integers(3)], allocation_e9=300_000_000)
    for version in range(1, 4):
        for name in ("trend", "carry", "slow"):
            weights = {each: round(float(dice.uniform(-0.9, 0.9)), 2) for each in ("EURUSD", "GOLD")}
            desk.trade(desk.target(name, version, **weights))
    kinds = (CashKind.PAYMENT, CashKind.SWAP, CashKind.DIVIDEND)
    rows = []
    for _ in range(60):
        kind = kinds[dice.integers(3)]
        name = "" if kind == CashKind.PAYMENT else (EURUSD.id, GOLD.id, "X:UNKNOWN")[dice.integers(3)]
        rows.append((int(dice.integers(1, 9)), name, kind, int(dice.integers(-(10**9), 10**9))))
    expected = [part for row in rows for part in plain_parts(desk, *row)]
    before, lines = {each: desk.balance(each) for each in accounts}, lines_of(desk)
    booked = only(desk.feed(cash(*rows)), CashBooked)
    told = [
        (account, booked.instruments[name], booked.books[book], amount)
        for account, name, book, amount in zip(
            *(column.tolist() for column in (booked.account, booked.instrument, booked.book, booked.amount_micro)),
            strict=True,
        )
    ]  # fmt: skip
    assert told == expected, f"seed {seed}"
    assert len({each for _, _, each, _ in told}) > 2
    for each in accounts:
        assert desk.balance(each) == before[each] + sum(row[3] for row in rows if row[0] == each)
    for part in expected:
        if part[2]:
            lines[part[:3]] = lines.get(part[:3], 0) + part[3]
    assert lines_of(desk) == lines


def lines_of(desk: Desk) -> dict[tuple[int, str, str], int]:
    """Return the cash of each line by (account, instrument, book)."""
    state = desk.state
    numbers, names = state.accounts.rows["number"], state.instruments.names
    return {
        (int(numbers[line.account]), names[line.instrument], state.books.names[line.book]): int(line.cash_micro)
        for line in state.lines.rows
    }


def test_a_dividend_on_what_is_no_longer_held_is_of_nobody_s_book(desk: Desk) -> None:
    booked = only(desk.feed(cash((2, GOLD.id, CashKind.DIVIDEND, 5_000_000))), CashBooked)
    assert booked.books == ["external"]
    assert desk.balance(2) == 100_005 * 10**6
    assert desk.line(2, GOLD.id, "external").cash_micro == 5_000_000


def test_cash_and_fills_of_one_report_are_both_booked(desk: Desk) -> None:
    request = only(desk.target("trend", 1, EURUSD=0.1), OrdersRequested)
    desk.approve(request)
    both = OrdersReported(
        instruments=[EURUSD.id, ""], account=ints([1, 1]), instrument=ints([1, 0]), decision=ints([0, 1]),
        kind=ints([ReportKind.CASH, ReportKind.FILLED]), steps=ints([0, int(request.steps[0])]),
        price_e9=ints([0, 1_120_000_000]), amount_micro=ints([9, 0]), at_ns=ints([5, 5]), execution_id=["c", "f"],
    )  # fmt: skip
    events = desk.feed(both)
    assert only(events, CashBooked).amount_micro.tolist() == [9]
    assert desk.balance(1) == 100_000 * 10**6 + 9 + int(only(events, OrdersFilled).amount_micro[0])


def test_cash_of_an_account_that_is_not_here_is_put_aside(desk: Desk) -> None:
    events = desk.feed(cash((9, "", CashKind.PAYMENT, 5), (1, "", CashKind.PAYMENT, 5)))
    assert only(events, RowsParked).accounts.tolist() == [9]
    assert only(events, CashBooked).account.tolist() == [1]


def test_cash_that_was_booked_before_a_restore_is_not_booked_twice(desk: Desk) -> None:
    desk.feed(GateAccounts(reason="restored", known_fills=["c7"]))
    assert not desk.feed(cash((1, "", CashKind.PAYMENT, 5), ids=("c7",)))
    assert of_type(desk.feed(cash((1, "", CashKind.PAYMENT, 5), ids=("c8",))), CashBooked)
    assert not desk.feed(cash((1, "", CashKind.PAYMENT, 5), ids=("c8",))), "gated accounts remember what they are told"


def test_the_paper_broker_reports_cash_once_and_again_in_statements() -> None:
    broker, work = Broker(Book(), Options(), Faults()), Work()
    one = pack(np.array([1]))
    for request in (protocol.Open(rows=1, account=one), protocol.Login(rows=1, account=one)):
        broker.handle(0, request, 1, work)
    paid = protocol.Deposit(rows=1, reference="r", account=one, amount_micro=pack(np.array([-5])))
    for _ in range(2):
        broker.handle(1, paid, 7, work)
    broker.handle(0, protocol.AskStatement(session=1, rows=1, account=one), 8, work)
    told = [frame for _, frame in work.answers if isinstance(frame, protocol.Reports)]
    (statement,) = [frame for _, frame in work.answers if isinstance(frame, protocol.Statement)]
    for frame in (*told, statement.reports):
        assert unpack(frame.kind, frame.rows).tolist() == [ReportKind.CASH]
        assert unpack(frame.amount_micro, frame.rows).tolist() == [-5]
        assert unpack(frame.account, frame.rows).tolist() == [1]
    assert (len(told), statement.upto) == (1, 1)
    again = Book()
    for record in work.records:
        again.apply(record)
    assert again.reports.rows.tolist() == broker.book.reports.rows.tolist()
