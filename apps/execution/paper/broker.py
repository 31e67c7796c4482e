"""What the paper broker does with requests: records for its ledger, and answers for when they are durable.

Nothing here reads a clock, a file or a socket. Requests come with the time at which they were read; `Work` collects
what a round gives.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from apps.execution.contracts import InstrumentTerms
from apps.execution.growing import ID_BYTES
from apps.execution.kernels.paper import WORKING
from apps.execution.kernels.paper_tickets import PROTECTIVE
from apps.execution.packed import PackedError, pack, unpack
from apps.execution.paper import protocol
from apps.execution.paper.answers import found, reports_by_session, statement
from apps.execution.paper.arrivals import arrivals, cancelled, judged
from apps.execution.paper.book import Book, Rows
from apps.execution.paper.faults import Dice, Faults, read_faults
from apps.execution.paper.ledger import AnyRecord, Began, Deposited, Named, Opened
from apps.execution.paper.prices import closing, set_prices
from apps.execution.paper.protocol import Code, Frame
from apps.execution.paper.rates import Meter
from banyan.clock import VirtualClock
from banyan.columns import Ints
from trading.costs import Costs
from trading.targets import FOK, MARKET

FREE = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the broker trades. With `at_next` orders wait for the next prices, else they meet those there are at once."""

    at_next: bool = False
    is_idempotent: bool = True
    """Whether a client order id that is known is answered with what became of its order, and not taken again."""
    orders_per_second_max: int = 0
    """Orders and cancels of a session in any second, 0 for any number; an order beyond them is rejected."""
    orders_per_second_per_account_max: int = 0
    costs: Costs = FREE
    clock: VirtualClock | None = None
    """A clock that prices move to their own time: for replays that keep it."""


@dataclass(slots=True)
class Work:
    """What a round gives: records to keep, then answers by connection, and the connections to close unanswered."""

    records: list[AnyRecord] = field(default_factory=list)
    answers: list[tuple[int, Frame]] = field(default_factory=list)
    hang_up: set[int] = field(default_factory=set)


def _unpriced(book: Book, options: Options) -> dict[int, int]:
    """Return the market orders that wait for a price, by row: until now, as only who has ended knew until when."""
    orders = book.orders.rows
    waits = (orders["status"] == WORKING) & (orders["kind"] == MARKET) & (orders["filled"] == 0)
    waits &= orders["held_back"] == 0
    return {} if options.at_next else dict.fromkeys(np.flatnonzero(waits).tolist(), 0)


class Broker:
    """The paper broker without its clock, file and socket."""

    def __init__(self, book: Book, options: Options, faults: Faults) -> None:
        self.book = book
        self.options = options
        self.dice = Dice(faults)
        self._meter = Meter(options.orders_per_second_max, options.orders_per_second_per_account_max)
        self._connections: dict[int, int] = {}  # by session
        self._told: dict[int, int] = {}  # up to which execution number each session has been told everything
        self._first_ns: dict[int, int] = {}  # when the first bar of an instrument that was met closed
        self._late: dict[int, int] = {}  # when a held order may be filled, by row
        self._rest: list[int] = []  # orders of which a part was filled
        self._unpriced = _unpriced(book, options)  # until when a market order waits for a price, by row

    def handle(self, connection: int, request: protocol.Request, now_ns: int, work: Work) -> None:
        """Do what a client asks; what cannot be done is answered with the reason."""
        try:
            _HANDLERS[type(request)](self, connection, request, now_ns, work)
        except (PackedError, msgspec.DecodeError, _CannotDo) as problem:
            work.answers.append((connection, protocol.Refused(request=request.request, reason=str(problem))))

    def forget(self, connection: int) -> None:
        """Forget a connection that was closed; what its sessions are to be told waits for a query."""
        self._connections = {session: each for session, each in self._connections.items() if each != connection}
        self._told = {session: number for session, number in self._told.items() if session in self._connections}

    def settle(self, now_ns: int, work: Work) -> None:
        """Fill what was held back and is due, and the rest of what was filled in part; reject what had no price."""
        over = [row for row, until in self._unpriced.items() if until < now_ns]
        if over:
            self._unpriced = {row: until for row, until in self._unpriced.items() if until >= now_ns}
            self._report(self.book.reject(np.array(over, np.int64), Code.NO_PRICE, now_ns), work)
        due = [row for row, when in self._late.items() if when <= now_ns]
        for row in due:
            del self._late[row]
        self.book.orders.rows["held_back"][due] = 0
        rows, self._rest = np.array(sorted({*due, *self._rest}), np.int64), []
        self._match(rows, work)

    def next_due_ns(self) -> int | None:
        """Return when `settle` has something to do, 0 for at once, None for nothing."""
        dues = [*self._late.values(), *(until + 1 for until in self._unpriced.values())]
        return 0 if self._rest else min(dues, default=None)

    def _open(self, connection: int, request: protocol.Open, now_ns: int, work: Work) -> None:
        account = unpack(request.account, request.rows)
        new = np.flatnonzero(self.book.slots(account) < 0)
        if np.unique(account[new]).size != new.size:
            raise _CannotDo("an account is named twice")
        if new.size:
            deposit, rate = unpack(request.deposit_micro, request.rows), unpack(request.fee_rate_e9, request.rows)
            currency, hedging = unpack(request.currency, request.rows), unpack(request.hedging, request.rows)
            via = unpack(request.via, request.rows)
            named = np.concatenate([currency, via])
            if named.min(initial=0) < 0 or named.max(initial=0) >= len(request.currencies):
                raise _CannotDo("a currency is not among the currencies")
            opened = Opened(
                rows=new.size,
                account=pack(account[new]),
                deposit_micro=pack(deposit[new]),
                fee_rate_e9=pack(rate[new]),
                currencies=request.currencies,
                currency=pack(currency[new]),
                hedging=pack(hedging[new]),
                via=pack(via[new]),
            )
            self._keep(opened, work)
        work.answers.append((connection, protocol.Done(request=request.request)))

    def _deposit(self, connection: int, request: protocol.Deposit, now_ns: int, work: Work) -> None:
        if np.any(self.book.slots(unpack(request.account, request.rows)) < 0):
            raise _CannotDo("an account is not open")
        if request.reference not in self.book.references:
            unpack(request.amount_micro, request.rows)
            if request.instrument and request.instrument not in self.book.instruments:
                raise _CannotDo(f"{request.instrument} was never traded or priced here")
            deposited = Deposited(
                rows=request.rows,
                reference=request.reference,
                account=request.account,
                amount_micro=request.amount_micro,
                kind=request.kind,
                instrument=request.instrument,
                at_ns=now_ns,
            )
            first = self.book.reports.size
            self._keep(deposited, work)
            self._tell(np.arange(first, self.book.reports.size), work)
        work.answers.append((connection, protocol.Done(request=request.request)))

    def _login(self, connection: int, request: protocol.Login, now_ns: int, work: Work) -> None:
        account = unpack(request.account, request.rows)
        slots = self.book.slots(account)
        session = self.book.session + 1
        is_open = slots >= 0
        self._keep(Began(session=session, rows=int(is_open.sum()), slot=pack(slots[is_open])), work)
        self._connections[session] = connection
        self._told[session] = self.book.reports.size
        missing = account[~is_open].tolist()
        work.answers.append((connection, protocol.LoggedIn(request=request.request, session=session, missing=missing)))

    def _submit(self, connection: int, request: protocol.Submit, now_ns: int, work: Work) -> None:
        self._name(request.terms, work)
        arrived = arrivals(self.book, request, now_ns, self.options.is_idempotent)
        too_many = self._meter.too_many(request.session, arrived.orders["account"], now_ns)
        codes = judged(self.book, request, arrived, now_ns, self.dice)
        codes[too_many & (codes == Code.NONE)] = Code.RATE_LIMIT
        rows, record, reports = self.book.add_orders(arrived.orders, arrived.ids, codes, now_ns)
        work.records.append(record)
        self._report(reports, work)
        taken = rows[self.book.orders.rows["status"][rows] == WORKING]
        if arrived.known.size:
            self._tell(self.book.reports_of(arrived.known), work)
        if arrived.strangers is not None:
            work.answers.append((connection, arrived.strangers))
        self._befall(taken, now_ns)
        if not self.options.at_next:
            market = taken[self.book.orders.rows["kind"][taken] == MARKET]
            unpriced = market[~self.book.has_price(self.book.orders.rows[market])]
            self._unpriced.update(dict.fromkeys(unpriced.tolist(), request.deadline_ns))
            self._match(self._due(taken), work)
        if self.dice.happens(self.dice.faults.disconnect):
            work.hang_up.add(connection)

    def _cancel(self, connection: int, request: protocol.Cancel, now_ns: int, work: Work) -> None:
        self._meter.count_cancels(request.session, request.rows, now_ns)
        rows, refused = cancelled(self.book, request, now_ns)
        late = rows[self.dice.chosen(self.dice.faults.late, rows.size)]
        for row in rows.tolist():
            self._late.pop(row, None)
            self._unpriced.pop(row, None)
        self.book.orders.rows["held_back"][late] = 0
        self._report(self.book.cancel(rows, late, self.options.costs, now_ns), work)
        if refused is not None:
            work.answers.append((connection, refused))

    def _query(self, connection: int, request: protocol.Query, now_ns: int, work: Work) -> None:
        self._answer(connection, found(self.book, request), work)

    def _ask_statement(self, connection: int, request: protocol.AskStatement, now_ns: int, work: Work) -> None:
        told = statement(self.book, request, now_ns)
        if request.session in self._told:
            self._told[request.session] = told.upto
        self._answer(connection, told, work)

    def _prices(self, connection: int, request: protocol.Prices, now_ns: int, work: Work) -> None:
        self._name(request.terms, work)
        if self.options.clock is not None:
            self.options.clock.move_to(max(request.time_ns, request.closed_ns))
        if request.ask_close and not self.options.at_next:
            self._walk(request, work)
            request = closing(request)
        changed = set_prices(self.book, request)
        orders = self.book.orders.rows
        rows = self._due(np.union1d(self._live_in(changed), self._priced()))
        met = orders[rows]
        rests = met["kind"] != MARKET
        buys = (met["steps"] > 0) & ~rests
        self._rest = []
        self._match(rows[np.lexsort((rows, met["instrument"], buys, rests))], work)
        work.answers.append((connection, protocol.Done(request=request.request)))

    def _priced(self) -> Ints:
        """Take the orders that waited for a price, their own or that of a pair of currencies, and have one."""
        waiting = np.array(list(self._unpriced), np.int64)
        priced = waiting[self.book.has_price(self.book.orders.rows[waiting])]
        for row in priced.tolist():
            del self._unpriced[row]
        return priced

    def _walk(self, bar: protocol.Prices, work: Work) -> None:
        """Match orders that rest with the path of a bar, but for those that came when it had begun."""
        changed = set_prices(self.book, bar)
        for instrument in changed.tolist():
            self._first_ns.setdefault(instrument, bar.closed_ns)
        orders = self.book.orders.rows
        rows = self._due(self._live_in(changed))
        first_ns = np.array([self._first_ns[each] for each in orders["instrument"][rows].tolist()], np.int64)
        since = np.where(orders["since"][rows] < 0, first_ns, orders["since"][rows])
        waits = (since > bar.time_ns) | (orders["kind"][rows] == MARKET)
        tickets = orders["ticket"][rows]
        waits |= np.isin(tickets, tickets[waits & (tickets > 0)])
        rows = rows[~waits]
        self._match(rows[np.lexsort((rows, orders["instrument"][rows]))], work)

    def _live_in(self, instruments: Ints) -> Ints:
        """Return the orders that work in instruments, oldest first."""
        working = self.book.working()
        return working[np.isin(self.book.orders.rows["instrument"][working], instruments)]

    def _inject(self, connection: int, request: protocol.Inject, now_ns: int, work: Work) -> None:
        self.dice = Dice(read_faults(request.faults))
        work.answers.append((connection, protocol.Done(request=request.request)))

    def _keep(self, record: AnyRecord, work: Work) -> None:
        self.book.apply(record)
        work.records.append(record)

    def _name(self, terms: list[Any], work: Work) -> None:
        new = []
        for each in terms:
            known = self.book.instruments.get(each.id)
            if min(each.tick_e9, each.lot_step_e9, each.contract_e9) <= 0:
                raise _CannotDo(f"{each.id}: tick, lot step and contract size must be above 0")
            if known is None:
                new.append(each)
            elif not self.book.is_same(known, each):
                raise _CannotDo(f"{each.id}: its tick, lot step or contract size has changed")
        if new:
            self._keep(Named(terms=new), work)

    def _befall(self, rows: Ints, now_ns: int) -> None:
        """Draw which new orders are filled late or in part. What protects is neither; all or nothing is not in part."""
        orders, faults = self.book.orders.rows, self.dice.faults
        rows = rows[orders["kind"][rows] != PROTECTIVE]
        if not rows.size:
            return
        late = rows[self.dice.chosen(faults.late, rows.size)]
        orders["held_back"][late] = 1
        self._late.update(dict.fromkeys(late.tolist(), now_ns + int(faults.late_ms * 1e6)))
        whole = (orders["ticket"][rows] > 0) & (orders["time_in_force"][rows] == FOK)
        orders["most"][rows] = np.where(whole, 0, self.dice.parts(orders["steps"][rows]))

    def _due(self, rows: Ints) -> Ints:
        return rows[~np.isin(rows, list(self._late))] if self._late else rows

    def _match(self, rows: Ints, work: Work) -> None:
        if not rows.size:
            return
        orders = self.book.orders.rows
        in_part = rows[orders["most"][rows] != 0]
        numbers = orders["ticket"][rows]
        if numbers.any():
            rows, numbers = rows[numbers == 0], numbers[numbers > 0]
            first = np.unique(numbers, return_index=True)[1]
            self._report(self.book.match_tickets(numbers[np.sort(first)], self.options.costs), work)
        reports = self.book.match(rows, self.options.costs)
        self._rest += in_part[orders["status"][in_part] == WORKING].tolist()
        self._report(reports, work)

    def _report(self, reports: Rows, work: Work) -> None:
        if reports.size:
            first = self.book.reports.size
            work.records.append(self.book.keep_reports(reports))
            self._tell(np.arange(first, self.book.reports.size), work)

    def _tell(self, rows: Ints, work: Work) -> None:
        upto = int(rows.max(initial=-1)) + 1
        for session, frame in reports_by_session(self.book, rows):
            if session in self._connections:
                after = self._told[session]
                self._told[session] = max(after, upto)
                told = msgspec.structs.replace(frame, after=after, upto=self._told[session])
                self._answer(self._connections[session], told, work)

    def _answer(self, connection: int, frame: Frame, work: Work) -> None:
        if not self.dice.happens(self.dice.faults.lost_reply):
            work.answers.append((connection, frame))


class _CannotDo(ValueError):
    """What is asked makes no sense; the message says why."""


_HANDLERS: dict[type[Frame], Callable[..., None]] = {
    protocol.Open: Broker._open,
    protocol.Deposit: Broker._deposit,
    protocol.Login: Broker._login,
    protocol.Submit: Broker._submit,
    protocol.Cancel: Broker._cancel,
    protocol.Query: Broker._query,
    protocol.AskStatement: Broker._ask_statement,
    protocol.Prices: Broker._prices,
    protocol.Inject: Broker._inject,
}


def warm() -> None:
    """Have every kernel compiled or loaded, so that no order waits for it."""
    broker, work = Broker(Book(), Options(), Faults()), Work()
    terms = [InstrumentTerms(id="WARM", currency="", tick_e9=1, lot_step_e9=1, lot_min_steps=1, contract_e9=1)]
    one = pack(np.ones(1, np.int64))
    for request in (
        protocol.Open(rows=1, account=one),
        protocol.Login(rows=1, account=one),
        protocol.Prices(rows=1, terms=terms, time_ns=1, ask_open=one, bid_open=one),
        protocol.Submit(
            session=1,
            deadline_ns=1,
            rows=1,
            terms=terms,
            client_ids=bytes(ID_BYTES),
            account=one,
            instrument=b"",
            steps=one,
        ),
        protocol.Submit(
            session=1,
            deadline_ns=1,
            rows=2,
            terms=terms,
            client_ids=b"1" * ID_BYTES + b"2" * ID_BYTES,
            account=pack(np.ones(2, np.int64)),
            instrument=b"",
            steps=pack(np.array([1, -1])),
            kind=pack(np.array([MARKET, PROTECTIVE])),
            stop_ticks=pack(np.array([0, 1])),
            tag=pack(np.ones(2, np.int64)),
        ),
    ):
        broker.handle(0, request, 1, work)
    copy = Book()
    for record in work.records:
        copy.apply(record)
