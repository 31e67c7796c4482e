"""The paper broker's tickets: a book's position under a tag, the entry that works for it, and what protects it.

A ticket is a desk of its own, with one position: what happens in it is what happens to a channel of a backtest, by the
same kernels. A protective order (stop loss, take profit and trail, of which one fill cancels the rest) waits from its
arrival until the entry that came with it is filled, or for the next prices where none came; then it guards the
ticket in the place of the one before.
"""

from typing import Any, NamedTuple

import numpy as np

from apps.execution.kernels.paper import (
    CANCELLED,
    CODE_REDUCE_ONLY,
    EXPIRED,
    REPORT_CANCELLED,
    REPORT_EXPIRED,
    REPORT_FILLED,
    REPORT_TRIGGERED,
    WORKING,
    Venue,
    apply_fill,
    conversions_of,
    note,
    quote_at,
    rules_of,
    scratch_order,
    spec_of,
)
from trading.books import Desk
from trading.compiled import inner_kernel, kernel
from trading.costs import Costs
from trading.ledger import STOP_LOSS, TRAIL
from trading.matching import at_open, expire, fill_market, walk
from trading.money import MILLIONTHS, multiple
from trading.orders import Quote, Rules
from trading.targets import DAY, FOK, GTC, IOC, LOTS, MARKET

PROTECTIVE = 4  # kind of an order, beside those of trading.targets
REPORT_ATTACHED = 102  # the broker's own notes, beside those of `paper`
REPORT_TRAILED = 103
REPORT_DAY = 101

CODE_REPLACED = 11  # of `apps.execution.paper.protocol.Code`
CODE_PROTECTED = 12
CODE_CLOSED = 13

AT_MARKET = 0
ALONG_THE_PATH = 1
REPORTS_MAX = 16  # that one ticket can give in a phase

TICKET_DTYPE = np.dtype(
    [
        ("account", np.int64),  # slot
        ("instrument", np.int64),
        ("steps", np.int64),  # what is held under the tag, signed
        ("entry", np.int64),  # the order that works for it: row + 1, 0 for none
        ("pending", np.int64),  # the protective order that waits for a fill
        ("guard", np.int64),  # the one that protects what is held
        ("trail_e9", np.int64),  # where its trailing stop stands, 0 before it was set
    ],
    align=True,
)


class Floor(NamedTuple):
    """Where tickets are matched: `desk` is scratch, `reports` has room for REPORTS_MAX for each ticket and phase."""

    orders: Any
    tickets: Any
    venue: Venue
    desk: Desk
    reports: Any


@kernel
def admit(tickets: Any, orders: Any, accounts: Any, rows: Any) -> None:
    """Put new orders (rows that work) on their tickets; what hedging accounts hold there is known by its fills."""
    for row in rows:
        order = orders[row]
        ticket = tickets[order.ticket - 1]
        if order.kind == PROTECTIVE:
            ticket.pending = row + 1
            if not accounts[order.account].hedging:
                ticket.steps = order.base_steps
        else:
            ticket.entry = row + 1


@inner_kernel
def follow_report(tickets: Any, orders: Any, report: Any) -> None:
    """Change the ticket of a report's order by it; the order itself has changed already."""
    row = report.order
    ticket = tickets[orders[row].ticket - 1]
    if report.kind == REPORT_FILLED:
        ticket.steps += report.steps
    elif report.kind == REPORT_ATTACHED:
        ticket.pending = 0
        ticket.guard = row + 1
        ticket.trail_e9 = 0
    elif report.kind == REPORT_TRAILED:
        ticket.trail_e9 = report.price_e9
    if orders[row].status != WORKING:
        if ticket.entry == row + 1:
            ticket.entry = 0
        if ticket.pending == row + 1:
            ticket.pending = 0
        if ticket.guard == row + 1:
            ticket.guard = 0


@kernel
def follow_reports(tickets: Any, orders: Any, reports: Any) -> None:
    """Change tickets by reports that were kept."""
    for k in range(reports.size):
        if orders[reports[k].order].ticket > 0:
            follow_report(tickets, orders, reports[k])


@kernel
def match_tickets(floor: Floor, numbers: Any, costs: Costs) -> int:
    """Match tickets (numbers from 1) against the prices at hand: all market orders before all others.

    Orders, tickets, positions and cash change here. The number of reports that were written is returned.
    """
    n = 0
    for phase in (AT_MARKET, ALONG_THE_PATH):
        for number in numbers:
            ticket = floor.tickets[number - 1]
            rates = conversions_of(floor.venue, ticket.instrument, ticket.account)
            if floor.venue.prices[ticket.instrument].known != 0 and rates[1] > 0.0:
                n = _match(floor, number, phase, costs, n)
    return n


@inner_kernel
def _match(floor: Floor, number: int, phase: int, costs: Costs, n: int) -> int:
    orders, desk, venue, reports = floor.orders, floor.desk, floor.venue, floor.reports
    ticket = floor.tickets[number - 1]
    price = venue.prices[ticket.instrument]
    terms = venue.terms[ticket.instrument]
    entry, pending, guard = ticket.entry - 1, ticket.pending - 1, ticket.guard - 1
    works_now = entry >= 0 and orders[entry].held_back == 0 and (orders[entry].kind == MARKET) == (phase == AT_MARKET)
    moves_now = entry < 0 and pending >= 0 and phase == AT_MARKET
    if not works_now and not moves_now and (guard < 0 or phase == AT_MARKET):
        return n
    if works_now and is_closing(floor, entry) and orders[entry].steps * ticket.steps >= 0:
        n = _cancel(floor, entry, price.time, CODE_REDUCE_ONLY, n)
        return _cancel(floor, pending, price.time, CODE_CLOSED, n) if pending >= 0 and ticket.steps == 0 else n
    if works_now and orders[entry].time_in_force == DAY and orders[entry].day < 0:
        orders[entry].day = price.day
        n = note(reports, n, entry, price.time, REPORT_DAY, price.day)
    _load(desk, ticket, orders, terms)
    book = desk.books[0]
    if works_now:
        steps = _steps_now(orders[entry])
        if is_closing(floor, entry) and abs(steps) > abs(ticket.steps):
            steps = -ticket.steps
        lots = multiple(float(steps), terms.lot_step)
        scratch_order(desk, orders[entry], lots, terms.tick_size)
        book.goal = desk.tickets[0, 0].quantity + lots
    elif moves_now:
        book.working = 1
        book.kind = MARKET
        book.side = 0
        book.mode = LOTS
        book.goal = desk.tickets[0, 0].quantity
        book.time_in_force = GTC
        book.since = 0
        book.live = 1
    # A later part of an entry finds the bracket that came with the first in its place.
    keeps = works_now and pending < 0 and orders[entry].filled != 0
    book.attached = 1 if keeps else 0
    if works_now or moves_now:
        _expect(book, orders, pending, terms.tick_size)
    quote = quote_at(price, conversions_of(venue, ticket.instrument, ticket.account))
    _trade(desk, quote, price.day, terms, rules_of(costs, venue.accounts[ticket.account].fee_rate), phase)
    n = _tell_entry(floor, number, keeps, n)
    n = _tell_guard(floor, number, n)
    return _tell_ends(floor, number, works_now, moves_now, n)


@inner_kernel
def is_closing(floor: Floor, row: int) -> bool:
    """Tell whether an order of a hedging account can only close the ticket that it names."""
    order = floor.orders[row]
    return bool(order.reduce_only and order.kind != PROTECTIVE and floor.venue.accounts[order.account].hedging)


@inner_kernel
def _steps_now(order: Any) -> int:
    """Return the steps that an entry may have at these prices, which is all from the next time on."""
    left, most = order.steps - order.filled, order.most
    order.most = 0
    if most == 0 or abs(left) <= most:
        return left
    return most if left > 0 else -most


@inner_kernel
def _load(desk: Desk, ticket: Any, orders: Any, terms: Any) -> None:
    """Put what a ticket holds, and what guards it, on a desk that can afford everything and on which nothing works."""
    account, book, held = desk.account[0], desk.books[0], desk.tickets[0, 0]
    account.cash = 0.0
    account.equity = np.inf
    account.margin = 0.0
    account.n_fills = 0
    account.n_expired = 0
    held.quantity = multiple(float(ticket.steps), terms.lot_step)
    held.price = 1.0
    held.closing = 0
    held.stop_loss = np.nan
    held.take_profit = np.nan
    held.trail = np.nan
    held.trail_stop = np.nan
    if ticket.guard > 0:
        guard = orders[ticket.guard - 1]
        held.stop_loss = _level(guard.stop_ticks, terms.tick_size)
        held.take_profit = _level(guard.limit_ticks, terms.tick_size)
        held.trail = _level(guard.trail_ticks, terms.tick_size)
        if ticket.trail_e9 != 0:
            held.trail_stop = ticket.trail_e9 / 1e9
    book.quantity = held.quantity
    book.working = 0
    book.triggered = 0
    book.slot = -1
    book.used_bar = -1
    book.live = 1


@inner_kernel
def _expect(book: Any, orders: Any, pending: int, tick: float) -> None:
    book.stop_loss = np.nan
    book.take_profit = np.nan
    book.trail = np.nan
    if pending >= 0:
        book.stop_loss = _level(orders[pending].stop_ticks, tick)
        book.take_profit = _level(orders[pending].limit_ticks, tick)
        book.trail = _level(orders[pending].trail_ticks, tick)


@inner_kernel
def _level(ticks: int, tick: float) -> float:
    return multiple(float(ticks), tick) if ticks != 0 else np.nan


@inner_kernel
def _trade(desk: Desk, quote: Quote, day: int, terms: Any, rules: Rules, phase: int) -> None:
    spec = spec_of(terms)
    if desk.books[0].working:
        expire(desk, quote.at, day)
    if phase == AT_MARKET:
        fill_market(desk, at_open(quote), spec, rules, 0)
    else:
        walk(desk, quote, spec, rules)


@inner_kernel
def _tell_entry(floor: Floor, number: int, keeps: bool, n: int) -> int:
    """Report the fill of the entry, and that its protective order stands in the place of the one before, or `keeps`."""
    orders, tickets, venue, desk, reports = floor
    ticket = tickets[number - 1]
    entry, pending, guard = ticket.entry - 1, ticket.pending - 1, ticket.guard - 1
    for k in range(desk.account[0].n_fills):
        if not STOP_LOSS <= desk.fills[k].reason <= TRAIL:
            n = _fill(floor, k, entry, n)
    if desk.books[0].attached and not keeps:
        at_ns = venue.prices[ticket.instrument].time
        if guard >= 0:
            n = _cancel(floor, guard, at_ns, CODE_REPLACED, n)
        if pending >= 0:
            n = note(reports, n, pending, at_ns, REPORT_ATTACHED, 0)
            follow_report(tickets, orders, reports[n - 1])
    return n


@inner_kernel
def _tell_guard(floor: Floor, number: int, n: int) -> int:
    """Report the fill of a protective order, and where its trailing stop stands."""
    orders, tickets, venue, desk, reports = floor
    ticket = tickets[number - 1]
    guard = ticket.guard - 1
    for k in range(desk.account[0].n_fills):
        if STOP_LOSS <= desk.fills[k].reason <= TRAIL:
            n = _fill(floor, k, guard, n)
    if ticket.guard == 0:
        return n
    stands = desk.tickets[0, 0].trail_stop
    trail_e9 = 0 if np.isnan(stands) else np.int64(np.rint(stands * 1e9))
    if trail_e9 != ticket.trail_e9:
        n = note(reports, n, guard, venue.prices[ticket.instrument].time, REPORT_TRAILED, 0)
        reports[n - 1].price_e9 = trail_e9
        follow_report(tickets, orders, reports[n - 1])
    return n


@inner_kernel
def _tell_ends(floor: Floor, number: int, worked: bool, moved: bool, n: int) -> int:
    """Report what has ended without being filled."""
    orders, desk, reports = floor.orders, floor.desk, floor.reports
    ticket = floor.tickets[number - 1]
    at_ns = floor.venue.prices[ticket.instrument].time
    entry = ticket.entry - 1
    if entry >= 0 and worked:
        order = orders[entry]
        if desk.books[0].triggered and not order.triggered:
            order.triggered = 1
            n = note(reports, n, entry, at_ns, REPORT_TRIGGERED, 0)
        at_once = order.time_in_force == IOC or order.time_in_force == FOK
        if desk.account[0].n_expired > 0:
            order.status = EXPIRED
            n = note(reports, n, entry, at_ns, REPORT_EXPIRED, 0)
            follow_report(floor.tickets, orders, reports[n - 1])
        elif at_once and not desk.books[0].working:
            n = _cancel(floor, entry, at_ns, 0, n)
    was_protected = False
    for k in range(desk.account[0].n_fills):
        was_protected = was_protected or STOP_LOSS <= desk.fills[k].reason <= TRAIL
    if was_protected and ticket.entry > 0:
        n = _cancel(floor, ticket.entry - 1, at_ns, CODE_PROTECTED, n)
    if ticket.entry > 0 and ticket.steps == 0 and is_closing(floor, ticket.entry - 1):
        n = _cancel(floor, ticket.entry - 1, at_ns, CODE_REDUCE_ONLY, n)
    if ticket.pending > 0 and ticket.entry == 0 and (worked or moved or was_protected):
        n = _cancel(floor, ticket.pending - 1, at_ns, CODE_CLOSED, n)
    if ticket.guard > 0 and ticket.steps == 0:
        n = _cancel(floor, ticket.guard - 1, at_ns, CODE_CLOSED, n)
    return n


@inner_kernel
def _fill(floor: Floor, k: int, row: int, n: int) -> int:
    orders, tickets, venue, desk, reports = floor
    fill = desk.fills[k]
    order = orders[row]
    terms = venue.terms[order.instrument]
    before = desk.fills[k - 1].cash if k > 0 else 0.0
    n = note(reports, n, row, fill.time, REPORT_FILLED, 0)
    report = reports[n - 1]
    report.steps = np.int64(np.rint(fill.quantity / terms.lot_step))
    report.price_e9 = np.int64(np.rint(fill.price * 1e9))
    report.fee_micro = np.int64(np.rint(fill.fee * MILLIONTHS))
    report.cash_micro = np.int64(np.rint(fill.cash * MILLIONTHS)) - np.int64(np.rint(before * MILLIONTHS))
    apply_fill(order, venue, report)
    follow_report(tickets, orders, report)
    return n


@inner_kernel
def _cancel(floor: Floor, row: int, at_ns: int, code: int, n: int) -> int:
    floor.orders[row].status = CANCELLED
    n = note(floor.reports, n, row, at_ns, REPORT_CANCELLED, code)
    follow_report(floor.tickets, floor.orders, floor.reports[n - 1])
    return n
