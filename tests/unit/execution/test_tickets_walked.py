"""Random walks of hedging accounts, with brackets, held against plain books of tickets."""

from fractions import Fraction

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from apps.execution.contracts import ReportKind
from apps.execution.tickets import tickets_of
from banyan.columns import ints
from tests.unit.execution.desk import EURUSD, QUOTES, target
from tests.unit.execution.plain_tickets import PlainTickets
from tests.unit.execution.test_books_walked import ACCOUNTS, LOT, SETS, TERMS, Walk
from trading.targets import LIMIT, MARKET


class TicketWalk(Walk):
    """The walk of netting accounts, on hedging ones."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {terms.id: Fraction(terms.contract_e9 * terms.lot_step_e9, 10**18) for terms in TERMS}
        self.plain: PlainTickets = PlainTickets(sizes)

    @initialize()
    def open(self) -> None:
        self.desk.open(*ACCOUNTS, deposit=1_000_000, hedging=True)
        for name in SETS:
            self.desk.configure(name, *TERMS)
            self.desk.subscribe(name, *ACCOUNTS, allocation_e9=500_000_000)
        self.catch_up()

    @rule(name=st.sampled_from(SETS), steps=st.integers(-20, 20), limit=st.booleans(), stop=st.booleans())
    def bracket(self, name: str, steps: int, limit: bool, stop: bool) -> None:
        self.version += 1
        bid = QUOTES[EURUSD.id][0] * EURUSD.tick_e9 / 1e9
        stop_loss = [bid - 0.01 if steps > 0 else bid + 0.01] if stop else [None]
        entry, price = ([LIMIT], [bid]) if limit else ([MARKET], [None])
        wanted = {EURUSD.id: steps * LOT[EURUSD.id]}
        self.desk.feed(target(name, self.version, wanted, entry=ints(entry), price=price, stop_loss=stop_loss))
        self.catch_up()

    @precondition(lambda self: self.plain.guards)
    @rule(data=st.data(), cancels=st.booleans())
    def guard(self, data: st.DataObject, cancels: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.plain.guards)), label="protective order")
        if cancels:
            self.desk.report((ReportKind.CANCELLED, *key))
        else:
            left = self.plain.guards[key]
            part = data.draw(st.integers(1, abs(left)), label="steps")
            fill = part if left > 0 else -part
            self.desk.report((ReportKind.FILLED, *key, fill, self.price(data, key[1]), 7 * part))
        self.catch_up()

    @invariant()
    def books_are_their_tickets(self) -> None:
        state = self.desk.state
        sides: dict[int, int] = {}
        for at in range(state.lines.count):
            line = state.lines.rows[at]
            key = (
                int(state.accounts.rows[line.account].number), state.instruments.names[line.instrument],
                state.books.names[line.book],
            )  # fmt: skip
            tickets = dict(tickets_of(state, at))
            assert tickets == self.plain.of_book(*key), key
            if key[2] != "external":
                assert line.held == sum(tickets.values()), key
            short = min(int(line.held), 0) if key[2] == "external" else sum(min(each, 0) for each in tickets.values())
            sides[int(line.cell)] = sides.get(int(line.cell), 0) + short
        assert all(state.cells.rows[cell].short == short for cell, short in sides.items())


TicketWalk.TestCase.settings = settings(max_examples=40, stateful_step_count=35, deadline=None)
test_random_walks_of_a_hedging_account_add_up = TicketWalk.TestCase
