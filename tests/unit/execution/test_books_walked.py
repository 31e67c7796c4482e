"""Random walks of targets, verdicts, reports, people and outside trades, held against plain books."""

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from apps.execution.book_contracts import AccountsFlattened, AccountsResumed, BooksTargeted
from apps.execution.contracts import (
    AccountValued,
    CancelOrder,
    CashKind,
    Flatten,
    OrdersRequested,
    OrderType,
    PlaceManualOrder,
    ReportKind,
    Resume,
)
from apps.execution.core import EXECUTION
from apps.execution.state import from_snapshot, to_snapshot
from banyan.messages import Message
from tests.profiles import walks
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, Desk, target
from tests.unit.execution.plain_books import PlainBooks, rows
from tests.unit.execution.test_cash import cash

ACCOUNTS = (3, 5)
SETS = ("carry", "trend")
TERMS = (EURUSD, GOLD)
LOT = {EURUSD.id: 0.01, GOLD.id: 1.0}
ENDS = (ReportKind.REJECTED, ReportKind.CANCELLED, ReportKind.EXPIRED)
prices = st.integers(-3, 3)


class Walk(RuleBasedStateMachine):
    """Two accounts that follow two sets in two instruments."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.plain = PlainBooks({terms.id: Fraction(terms.contract_e9 * terms.lot_step_e9, 10**18) for terms in TERMS})
        self.seen = 0
        self.told: dict[int, int] = {}  # the balance of accounts, as they were valued last
        self.pending: list[OrdersRequested] = []
        self.sent: set[tuple[int, str, int]] = set()
        self.version = 0

    @initialize()
    def open(self) -> None:
        self.desk.open(*ACCOUNTS, deposit=1_000_000)
        for name in SETS:
            self.desk.configure(name, *TERMS)
            self.desk.subscribe(name, *ACCOUNTS, allocation_e9=500_000_000)
        self.catch_up()

    def catch_up(self) -> list[Message]:
        """Show new events to the plain books."""
        given = self.desk.events[self.seen :]
        self.seen = len(self.desk.events)
        for event in given:
            if isinstance(event, AccountValued):
                self.told |= zip(event.account.tolist(), event.balance_micro.tolist(), strict=True)
            if isinstance(event, AccountsFlattened):
                self.flattened(event.account.tolist())
            if isinstance(event, AccountsResumed):
                self.resumed(event.account.tolist())
            self.plain.take(event)
            if isinstance(event, OrdersRequested):
                self.pending.append(event)
        return given

    def flattened(self, accounts: list[int]) -> None:
        self.plain.flat |= set(accounts)
        for line in list(self.plain.working):
            if line[0] in accounts:
                self.plain.working[line] = self.plain.resting(line)

    def resumed(self, accounts: list[int]) -> None:
        was_flat = self.plain.flat & set(accounts)
        self.plain.flat -= set(accounts)
        for line in {**self.plain.working, **self.plain.held}:
            if line[0] in was_flat and line[2] != "external":
                self.plain.working[line] = self.plain.held[line] + self.plain.coming(line)
                self.plain.retargeted[line] += 1  # what was ordered before is wanted no more, should it be filled late

    # ---- what happens ----

    @rule(name=st.sampled_from(SETS), steps=st.lists(st.integers(-20, 20), min_size=1, max_size=2), wait=st.booleans())
    def target(self, name: str, steps: list[int], wait: bool) -> None:
        self.version += 1
        wanted = {terms.id: count * LOT[terms.id] for terms, count in zip(TERMS, steps, strict=False)}
        self.desk.feed(target(name, self.version, wanted), run_timers=not wait)
        asked = dict(zip([terms.id for terms in TERMS], steps, strict=False))
        for event in self.catch_up():
            if isinstance(event, BooksTargeted) and event.target is not None:
                for (_, instrument), working in zip(rows(event), event.working_steps, strict=True):
                    assert working == asked[instrument]

    @precondition(lambda self: self.pending)
    @rule(approve=st.booleans(), wait=st.booleans())
    def verdict(self, approve: bool, wait: bool) -> None:
        request = self.pending.pop(0)
        names = [each.id for each in request.terms]
        index = request.instrument if request.instrument.size else np.zeros(request.account.size, np.int64)
        if approve:
            for account, at, decision in zip(request.account, index, request.decision, strict=True):
                self.sent.add((int(account), names[at], int(decision)))
            self.desk.approve(request)
        else:
            self.desk.refuse(request)
        self.catch_up()

    @precondition(lambda self: self.sent & self.plain.orders.keys())
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        reports = []
        for _ in range(data.draw(st.integers(1, 3), label="reports")):
            key = data.draw(st.sampled_from(sorted(self.sent)), label="order")
            order = self.plain.orders.get(key) or self.plain.ended.get(key)
            kinds = (ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.FILLED, ReportKind.UNKNOWN, *ENDS)
            kind = data.draw(st.sampled_from((*kinds, ReportKind.NEVER_ARRIVED)), label="kind")
            if order is None:
                continue
            if kind != ReportKind.FILLED:
                reports.append((kind, *key))
                continue
            left = order.steps - sum(order.filled[book] for book in order.shares)
            left -= sum(row[4] for row in reports if row[:4] == (kind, *key))
            if left:
                part = data.draw(st.integers(1, abs(left)), label="steps")
                reports.append((kind, *key, part if left > 0 else -part, self.price(data, key[1]), 7 * part))
        if reports:
            self.desk.report(*reports)
            self.catch_up()

    def price(self, data: st.DataObject, instrument: str) -> int:
        tick = next(terms.tick_e9 for terms in TERMS if terms.id == instrument)
        return (QUOTES[instrument][0] + data.draw(prices, label="ticks")) * tick

    @rule(account=st.sampled_from(ACCOUNTS), terms=st.sampled_from(TERMS), steps=st.integers(-5, 5).filter(bool))
    def manual(self, account: int, terms: Any, steps: int) -> None:
        bid, ask = QUOTES[terms.id]
        self.desk.feed(PlaceManualOrder(account=account, terms=terms, steps=steps, bid_ticks=bid, ask_ticks=ask))
        self.catch_up()

    @rule(account=st.sampled_from(ACCOUNTS), terms=st.sampled_from(TERMS), steps=st.integers(-5, 5).filter(bool))
    def manual_limit(self, account: int, terms: Any, steps: int) -> None:
        bid, ask = QUOTES[terms.id]
        order = PlaceManualOrder(account=account, terms=terms, steps=steps, bid_ticks=bid, ask_ticks=ask)
        self.desk.feed(structs.replace(order, order_type=OrderType.LIMIT, limit_ticks=bid))
        self.catch_up()

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        account, instrument, decision = data.draw(st.sampled_from(sorted(self.sent)), label="order")
        self.desk.feed(CancelOrder(account=account, instrument=instrument, decision=decision))
        self.catch_up()

    @rule(
        account=st.sampled_from(ACCOUNTS),
        terms=st.sampled_from(TERMS),
        kind=st.sampled_from(CashKind),
        amount=st.integers(-(10**9), 10**9),
    )
    def cash(self, account: int, terms: Any, kind: CashKind, amount: int) -> None:
        self.desk.feed(cash((account, terms.id, int(kind), amount)))
        self.catch_up()

    @rule(account=st.sampled_from(ACCOUNTS), terms=st.sampled_from(TERMS), steps=st.integers(-5, 5).filter(bool))
    def outside(self, account: int, terms: Any, steps: int) -> None:
        self.desk.report((ReportKind.FILLED, account, terms.id, 0, steps, QUOTES[terms.id][0] * terms.tick_e9, 11))
        self.catch_up()

    @rule(account=st.sampled_from(ACCOUNTS), more=st.integers(-3, 3))
    def reconcile(self, account: int, more: int) -> None:
        held = {terms.id: self.plain.position((account, terms.id)) for terms in TERMS}
        self.desk.reconcile(account, EURUSD={account: held[EURUSD.id] + more}, GOLD={account: held[GOLD.id]})
        self.catch_up()

    @rule(account=st.sampled_from(ACCOUNTS))
    def flatten(self, account: int) -> None:
        self.desk.feed(Flatten(accounts=np.array([account])))
        self.catch_up()

    @rule()
    def resume(self) -> None:
        self.desk.feed(Resume())
        self.catch_up()

    @rule()
    def wait(self) -> None:
        self.desk.run_timers()
        self.catch_up()

    # ---- what always holds ----

    @invariant()
    def books_are_what_events_add_up_to(self) -> None:
        state = self.desk.state
        for at in range(state.lines.count):
            line = state.lines.rows[at]
            number = int(state.accounts.rows[line.account].number)
            key = (number, state.instruments.names[line.instrument], state.books.names[line.book])
            assert line.held == self.plain.held[key], key
            assert line.open + line.unknown == self.plain.coming(key), key
            if key[2] != "external":
                assert line.working == self.plain.working[key], key
        for at in range(state.cells.count):
            cell = state.cells.rows[at]
            key2 = int(state.accounts.rows[cell.account].number), state.instruments.names[cell.instrument]
            assert cell.held == self.plain.position(key2)
            orders = [order for key, order in self.plain.orders.items() if key[:2] == key2]
            assert cell.frozen == sum(order.unknown for order in orders)
            netted = [order for order in orders if not order.rests]
            assert cell.buying + cell.selling == sum(order.left(book) for order in netted for book in order.shares)

    @invariant()
    def cash_is_the_deposit_and_what_fills_brought(self) -> None:
        state = self.desk.state
        for number, balance in self.plain.balance.items():
            row = state.row_of[number]
            lines = state.lines.rows[state.lines.rows["account"] == row]
            assert state.accounts.rows[row].balance_micro == balance
            assert int(lines["cash_micro"].sum()) == balance - 10**12 - self.plain.paid_in[number]
            assert (lines["cost_micro"][lines["held"] == 0] == 0).all()
            assert self.told[number] == balance + int(lines["cost_micro"].sum()), "what was told last is not of now"

    @invariant()
    def a_snapshot_is_the_state(self) -> None:
        written = to_snapshot(self.desk.state)
        read = from_snapshot("0", EXECUTION.snapshot_version, written)
        assert to_snapshot(read) == written
        assert to_snapshot(self.desk.state.copy()) == written
        assert (read.cell_rows >= 0).sum() == self.desk.state.cells.count
        assert read.lines_by_source == self.desk.state.lines_by_source

    def teardown(self) -> None:
        """Refuse and end all that is on its way: then books want what they have, and nothing more is ordered."""
        for _ in range(20):
            while self.pending:
                self.verdict(approve=False, wait=False)
            for key in sorted(self.sent & self.plain.orders.keys()):
                self.desk.report((ReportKind.CANCELLED, *key))
            self.wait()
            if not (self.plain.orders or self.pending):
                break
        assert not self.plain.orders
        left = [line for line in list(self.plain.working) if self.plain.gap(line)]
        for account, name, book in left:  # a book that is held at zero closes no more than the account holds
            assert account in self.plain.flat
            assert self.plain.gap((account, name, book)) * self.plain.position((account, name)) >= 0
        state = self.desk.state
        assert not state.lines.rows["open"].any()
        assert not state.lines.rows["unknown"].any()
        assert (state.orders.rows["cell"] == -1).all()
        assert (state.shares.rows["line"] == -1).all()


Walk.TestCase.settings = walks(0.3, steps=40)
test_random_walks_of_an_account_add_up = Walk.TestCase
