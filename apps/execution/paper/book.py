"""What the paper broker knows: accounts, instruments, orders and reports as columns, rebuilt from its ledger."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import InstrumentTerms
from apps.execution.growing import ID_BYTES, ChainedIds, Growing, Ids, Spilled
from apps.execution.kernels.paper import (
    ACCOUNT_DTYPE,
    CANCELLED,
    ORDER_DTYPE,
    PRICE_DTYPE,
    REJECTED,
    REPORT_ACCEPTED,
    REPORT_CANCELLED,
    REPORT_CASH,
    REPORT_DTYPE,
    REPORT_FILLED,
    REPORT_REJECTED,
    TERMS_DTYPE,
    WORKING,
    Venue,
    match,
    replay,
    scratch_desk,
)
from apps.execution.kernels.paper_tickets import (
    REPORTS_MAX,
    TICKET_DTYPE,
    Floor,
    admit,
    follow_reports,
    match_tickets,
)
from apps.execution.packed import pack_records, unpack, unpack_records
from apps.execution.paper.ledger import Accepted, AnyRecord, Began, Deposited, Happened, Named, Opened
from banyan.columns import Ints
from banyan.records import NameIndex
from trading.costs import Costs
from trading.instruments import base_currency

Rows = NDArray[Any]
"""A structured array."""


class Book:
    """The broker's memory. `apply` changes it by a record; `match` finds what prices make of working orders.

    With a `folder`, orders and reports of long ago are kept in files there, out of the way.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.orders = Growing(ORDER_DTYPE) if folder is None else Spilled(ORDER_DTYPE, folder)
        self.ids = ChainedIds(folder)
        self.reports = Growing(REPORT_DTYPE) if folder is None else Spilled(REPORT_DTYPE, folder)
        self.accounts = Growing(ACCOUNT_DTYPE)
        self.instruments: dict[str, int] = {}
        self.terms: list[InstrumentTerms] = []
        self.tickets = Growing(TICKET_DTYPE)
        self._tickets: dict[tuple[int, int, int], int] = {}
        self.currencies = NameIndex([""])
        self.rates = np.ones((1, 1))
        self.opening = self.rates
        self.references: set[str] = set()
        self.session = 0
        self.prices: Rows = np.zeros(0, PRICE_DTYPE)
        self._terms: Rows = np.zeros(0, TERMS_DTYPE)
        self._positions: Ints = np.zeros((0, 0), np.int64)
        self._by_number: tuple[Ints, Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._desk = scratch_desk()
        self._working: Ints = np.zeros(0, np.int64)

    def apply(self, record: AnyRecord) -> None:
        """Change what is known by a record."""
        match record:
            case Opened():
                self._open(record)
            case Deposited():
                self._pay(record)
            case Began():
                self.session = record.session
                self.accounts.rows["session"][unpack(record.slot, record.rows)] = record.session
            case Named():
                self._name(record.terms)
            case Accepted():
                self.ids.append(np.frombuffer(record.client_ids, f"S{ID_BYTES}"))
                orders = unpack_records(record.orders, record.rows, ORDER_DTYPE)
                self.number_tickets(orders)
                self._admit(self.orders.append(orders))
            case Happened():
                reports = unpack_records(record.reports, record.rows, REPORT_DTYPE)
                self.reports.append(reports)
                replay(_records(self.orders.rows), self._venue(), _records(reports))
                self._follow(reports)

    def slots(self, numbers: Ints) -> Ints:
        """Return where accounts are in `accounts`, -1 where one is not open."""
        ordered, slots = self._by_number
        if ordered.size == 0:
            return np.full(numbers.size, -1, np.int64)
        at = np.minimum(np.searchsorted(ordered, numbers), ordered.size - 1)
        return np.where(ordered[at] == numbers, slots[at], -1)

    def positions(self) -> Ints:
        """Return what accounts hold in steps, int64[instruments, accounts]."""
        return self._positions

    def working(self) -> Ints:
        """Return the rows of orders that work, oldest first."""
        self._working = self._working[self.orders.rows["status"][self._working] == WORKING]
        return self._working

    def add_orders(self, orders: Rows, ids: Ids, codes: Ints, now_ns: int) -> tuple[Ints, AnyRecord, Rows]:
        """Keep new orders, those with a Code as rejected; return their rows, the record and the reports of them."""
        orders["status"] = np.where(codes == 0, WORKING, REJECTED)
        self.number_tickets(orders)
        record = Accepted(rows=orders.size, client_ids=ids.tobytes(), orders=pack_records(orders))
        self.ids.append(ids)
        rows = self.orders.append(orders)
        self._admit(rows)
        reports: Rows = np.zeros(rows.size, REPORT_DTYPE)
        reports["order"] = rows
        reports["at_ns"] = now_ns
        reports["kind"] = np.where(codes == 0, REPORT_ACCEPTED, REPORT_REJECTED)
        reports["code"] = codes
        return rows, record, reports

    def match(self, rows: Ints, costs: Costs) -> Rows:
        """Return the reports that working orders give at the prices there are; orders and accounts change here."""
        reports: Rows = np.zeros(4 * rows.size, REPORT_DTYPE)
        orders, venue = _records(self.orders.rows), self._venue()
        return reports[: match(orders, rows, venue, costs, self._desk, _records(reports))]

    def match_tickets(self, numbers: Ints, costs: Costs) -> Rows:
        """Return the reports that tickets give at the prices there are; orders, tickets and accounts change here."""
        reports: Rows = np.zeros(2 * REPORTS_MAX * numbers.size, REPORT_DTYPE)
        orders, tickets = _records(self.orders.rows), _records(self.tickets.rows)
        floor = Floor(orders, tickets, self._venue(), self._desk, _records(reports))
        return reports[: match_tickets(floor, numbers, costs)]

    def number_tickets(self, orders: Rows) -> None:
        """Write the numbers of their tickets into orders that have a tag; tickets that are new are added."""
        for row in np.flatnonzero(orders["tag"] > 0).tolist():
            place = int(orders["account"][row]), int(orders["instrument"][row]), int(orders["tag"][row])
            if place not in self._tickets:
                ticket: Rows = np.zeros(1, TICKET_DTYPE)
                ticket["account"], ticket["instrument"] = place[0], place[1]
                self._tickets[place] = int(self.tickets.append(ticket)[0]) + 1
            orders["ticket"][row] = self._tickets[place]

    def cancel(self, rows: Ints, late: Ints, costs: Costs, now_ns: int) -> Rows:
        """Cancel working orders; return the reports of it, with those of fills of `late` ones that come after."""
        reports: Rows = np.zeros(rows.size, REPORT_DTYPE)
        reports["order"] = rows
        reports["at_ns"] = now_ns
        reports["kind"] = REPORT_CANCELLED
        tickets = self.orders.rows["ticket"][late]
        fills = np.concatenate(
            [self.match(late[tickets == 0], costs), self.match_tickets(np.unique(tickets[tickets > 0]), costs)]
        )
        status = self.orders.rows["status"]
        status[rows] = np.where(status[rows] == WORKING, CANCELLED, status[rows])
        self._follow(reports)
        return np.concatenate([reports, fills[fills["kind"] == REPORT_FILLED]])

    def reject(self, rows: Ints, code: int, now_ns: int) -> Rows:
        """Reject orders that work, and of which nothing is filled; return the reports of it."""
        reports: Rows = np.zeros(rows.size, REPORT_DTYPE)
        reports["order"], reports["at_ns"], reports["kind"], reports["code"] = rows, now_ns, REPORT_REJECTED, code
        self.orders.rows["status"][rows] = REJECTED
        self._follow(reports)
        return reports

    def convert(self, instruments: Ints) -> None:
        """Take the rates between currencies from the prices of those of these instruments that are pairs of them.

        At the open of a bar a pair that opens then counts with its open, any other with the price that it had last.
        """
        self.opening = self.rates.copy()
        for row in instruments.tolist():
            terms, price = self.terms[row], self.prices[row]
            base = self.currencies.known(base_currency(terms.id, terms.currency))
            if base > 0:
                quoted = self.currencies.of(terms.currency)
                for rates, point in ((self.opening, "open"), (self.rates, "close")):
                    rate = (price[f"bid_{point}"] + price[f"ask_{point}"]) / 2.0
                    rates[base, quoted], rates[quoted, base] = rate, 1.0 / rate

    def has_price(self, orders: Rows) -> NDArray[np.bool_]:
        """Return which orders have a price, and the rate to their account's currency."""
        theirs, ours = self._currencies(orders)
        via = self.accounts.rows["via"][orders["account"]]
        over = np.where(via > 0, self.rates[theirs, via] * self.rates[via, ours], 0.0)
        is_rated = (self.rates[theirs, ours] > 0.0) | (over > 0.0)
        return (self.prices["known"][orders["instrument"]] != 0) & is_rated  # type: ignore[no-any-return]

    def is_converted(self, orders: Rows) -> NDArray[np.bool_]:
        """Return of which orders the cash is in another currency than their prices."""
        theirs, ours = self._currencies(orders)
        return (ours != theirs) & (ours > 0) & (theirs > 0)  # type: ignore[no-any-return]

    def _currencies(self, orders: Rows) -> tuple[Ints, Ints]:
        """Return the currencies of orders' prices, and those of their accounts."""
        return self._terms["currency"][orders["instrument"]], self.accounts.rows["currency"][orders["account"]]

    def keep_reports(self, reports: Rows) -> AnyRecord:
        """Keep reports whose changes are made; return the record of them."""
        self.reports.append(reports)
        return Happened(rows=reports.size, reports=pack_records(reports))

    def is_same(self, instrument: int, terms: InstrumentTerms) -> bool:
        """Return whether terms measure an instrument by the ticks and steps by which it is known."""
        known = self.terms[instrument]
        return (known.tick_e9, known.lot_step_e9, known.contract_e9) == (
            terms.tick_e9,
            terms.lot_step_e9,
            terms.contract_e9,
        )

    def reports_of(self, orders: Ints) -> Ints:
        """Return the rows of all reports of orders."""
        return np.flatnonzero(np.isin(self.reports.rows["order"], orders))

    def _admit(self, rows: Ints) -> None:
        self._working = np.concatenate([self.working(), rows])
        tagged = rows[(self.orders.rows["ticket"][rows] > 0) & (self.orders.rows["status"][rows] == WORKING)]
        if tagged.size:
            accounts = _records(self.accounts.rows)
            admit(_records(self.tickets.rows), _records(self.orders.rows), accounts, tagged)

    def _follow(self, reports: Rows) -> None:
        if self._tickets:
            follow_reports(_records(self.tickets.rows), _records(self.orders.rows), _records(reports))

    def _open(self, record: Opened) -> None:
        accounts: Rows = np.zeros(record.rows, ACCOUNT_DTYPE)
        accounts["number"] = unpack(record.account, record.rows)
        accounts["cash_micro"] = unpack(record.deposit_micro, record.rows)
        accounts["fee_rate"] = unpack(record.fee_rate_e9, record.rows) / 1e9
        currencies = np.array([self.currencies.of(name) for name in record.currencies], np.int64)
        accounts["currency"] = currencies[unpack(record.currency, record.rows)]
        accounts["hedging"] = unpack(record.hedging, record.rows)
        accounts["via"] = currencies[unpack(record.via, record.rows)] if record.via else 0
        self.accounts.append(accounts)
        numbers = self.accounts.rows["number"]
        order = np.argsort(numbers, kind="stable")
        self._by_number = numbers[order], order
        self._make_room()

    def _pay(self, record: Deposited) -> None:
        slots, amounts = self.slots(unpack(record.account, record.rows)), unpack(record.amount_micro, record.rows)
        np.add.at(self.accounts.rows["cash_micro"], slots, amounts)
        self.references.add(record.reference)
        if not record.at_ns:
            return
        reports: Rows = np.zeros(record.rows, REPORT_DTYPE)
        reports["order"], reports["kind"], reports["steps"] = -1, REPORT_CASH, record.kind
        reports["cash_micro"], reports["account"], reports["at_ns"] = amounts, slots, record.at_ns
        reports["instrument"] = self.instruments.get(record.instrument, -1)
        self.reports.append(reports)

    def _name(self, terms: list[InstrumentTerms]) -> None:
        for each in terms:
            self.instruments[each.id] = len(self.terms)
            self.terms.append(each)
        self._terms = np.array(
            [
                (each.tick_e9 / 1e9, each.lot_step_e9 / 1e9, each.contract_e9 / 1e9, self.currencies.of(each.currency))
                for each in self.terms
            ],
            TERMS_DTYPE,
        )
        self._make_room()

    def _make_room(self) -> None:
        instruments, accounts = len(self.terms), self.accounts.size
        currencies, known = len(self.currencies.names), self.rates.shape[0]
        if currencies > known:
            rates = np.eye(currencies)
            rates[:known, :known] = self.rates
            rates[0], rates[:, 0] = 1.0, 1.0  # an account or an instrument that names none takes any as its own
            self.rates = rates
            self.convert(np.flatnonzero(self.prices["known"]))
        prices: Rows = np.zeros(instruments, PRICE_DTYPE)
        prices[: self.prices.size] = self.prices
        self.prices = prices
        if accounts > self._positions.shape[1] or instruments > self._positions.shape[0]:
            held = self._positions
            room = (max(instruments, held.shape[0]), max(accounts, 2 * held.shape[1]))
            self._positions = np.zeros(room, np.int64)
            self._positions[: held.shape[0], : held.shape[1]] = held

    def _venue(self) -> Venue:
        prices, terms, accounts = (_records(rows) for rows in (self.prices, self._terms, self.accounts.rows))
        return Venue(prices, terms, accounts, self._positions, self.opening, self.rates)


def _records(rows: Rows) -> Any:
    """Return rows as kernels take them."""
    return rows.view(np.recarray)
