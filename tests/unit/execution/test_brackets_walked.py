"""Random walks with limits and brackets, of netting and of hedging accounts, held against plain books."""

from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from apps.execution.contracts import ReportKind
from apps.execution.tickets import tickets_of
from banyan.columns import ints
from banyan.messages import Message
from tests.profiles import walks
from tests.unit.execution.desk import EURUSD, QUOTES, target
from tests.unit.execution.plain_apart import PlainApart
from tests.unit.execution.plain_guarded import PlainGuarded
from tests.unit.execution.plain_tickets import PlainTickets
from tests.unit.execution.test_books_walked import ACCOUNTS, LOT, SETS, TERMS, Walk
from trading.targets import LIMIT, MARKET

SIZES = {terms.id: Fraction(terms.contract_e9 * terms.lot_step_e9, 10**18) for terms in TERMS}
AWAY = st.one_of(st.none(), st.integers(1, 900))


class BracketWalk(Walk):
    """What the walk of netted books does, and targets with limits, stop losses, take profits and trails."""

    plain: PlainGuarded

    def __init__(self) -> None:
        super().__init__()
        self.bracketed: dict[str, int] = {}

    @rule(name=st.sampled_from(SETS), steps=st.integers(-20, 20), limit=st.booleans(), away=st.tuples(AWAY, AWAY, AWAY))
    def bracket(self, name: str, steps: int, limit: bool, away: tuple[int | None, ...]) -> None:
        self.version += 1
        self.bracketed[name] = steps
        bid, side = QUOTES[EURUSD.id][0], 1 if steps > 0 else -1

        def price(ticks: int | None) -> list[float | None]:
            return [None if ticks is None else ticks * EURUSD.tick_e9 / 1e9]

        loss, profit, trail = away
        levels = {
            "stop_loss": price(None if loss is None else bid - side * loss),
            "take_profit": price(None if profit is None else bid + side * profit),
            "trail": price(trail),
        }
        entry, at = ([LIMIT], price(bid)) if limit else ([MARKET], [None])
        wanted = {EURUSD.id: steps * LOT[EURUSD.id]}
        self.desk.feed(target(name, self.version, wanted, entry=ints(entry), price=at, **levels))
        self.catch_up()

    @precondition(lambda self: self.bracketed)
    @rule(data=st.data(), away=st.tuples(AWAY, AWAY, AWAY))
    def move(self, data: st.DataObject, away: tuple[int | None, ...]) -> None:
        name = data.draw(st.sampled_from(sorted(self.bracketed)), label="set")
        self.bracket(name, self.bracketed[name], False, away)

    @rule()
    def settle(self) -> None:
        """Let everything that is on its way be approved and filled."""
        while self.pending:
            self.verdict(approve=True, wait=False)
        for key in sorted(self.sent & self.plain.orders.keys()):
            order = self.plain.orders.get(key)
            if order is not None:
                left = order.steps - sum(order.filled[book] for book in order.shares)
                tick = next(terms.tick_e9 for terms in TERMS if terms.id == key[1])
                self.desk.report((ReportKind.FILLED, *key, left, QUOTES[key[1]][0] * tick, 0))
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
    def guards_are_those_that_were_released(self) -> None:
        state = self.desk.state
        found = {}
        for (cell, decision), guard in state.apart.guards.items():
            row = state.cells.rows[cell]
            number = int(state.accounts.rows[row.account].number)
            found[number, state.instruments.names[row.instrument], decision] = guard.steps - guard.filled
        assert found == self.plain.guards


class ApartWalk(BracketWalk):
    """Netting accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = PlainApart(SIZES)

    def catch_up(self) -> list[Message]:
        assert isinstance(self.plain, PlainApart)
        self.plain.tag = {at + 1: name for at, name in enumerate(self.desk.state.books.names)}
        return super().catch_up()

    @invariant()
    def books_trade_apart_while_they_must(self) -> None:
        state = self.desk.state
        found = set()
        for at in state.apart.lines:
            line = state.lines.rows[at]
            number = int(state.accounts.rows[line.account].number)
            found.add((number, state.instruments.names[line.instrument], state.books.names[line.book]))
        assert isinstance(self.plain, PlainApart)
        assert found == self.plain.apart


class TicketWalk(BracketWalk):
    """Hedging accounts."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = PlainTickets(SIZES)

    @initialize()
    def open(self) -> None:
        self.desk.open(*ACCOUNTS, deposit=1_000_000, hedging=True)
        for name in SETS:
            self.desk.configure(name, *TERMS)
            self.desk.subscribe(name, *ACCOUNTS, allocation_e9=500_000_000)
        self.catch_up()

    @invariant()
    def books_are_their_tickets(self) -> None:
        state, plain = self.desk.state, self.plain
        assert isinstance(plain, PlainTickets)
        sides: dict[int, int] = {}
        for at in range(state.lines.count):
            line = state.lines.rows[at]
            key = (
                int(state.accounts.rows[line.account].number), state.instruments.names[line.instrument],
                state.books.names[line.book],
            )  # fmt: skip
            tickets = dict(tickets_of(state, at))
            assert tickets == plain.of_book(*key), key
            if key[2] != "external":
                assert line.held == sum(tickets.values()), key
            short = min(int(line.held), 0) if key[2] == "external" else sum(min(each, 0) for each in tickets.values())
            sides[int(line.cell)] = sides.get(int(line.cell), 0) + short
        assert all(state.cells.rows[cell].short == short for cell, short in sides.items())


ApartWalk.TestCase.settings = TicketWalk.TestCase.settings = walks(0.15, steps=35)
test_random_walks_of_books_that_trade_apart_add_up = ApartWalk.TestCase
test_random_walks_of_hedging_accounts_add_up = TicketWalk.TestCase
