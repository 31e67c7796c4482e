"""The paper broker's matching: orders against prices, by the kernels that a backtest fills with."""

from typing import Any, NamedTuple

import numpy as np

from trading.books import At, Desk, Spec, open_desk
from trading.compiled import inner_kernel, kernel
from trading.costs import Costs
from trading.matching import at_open, expire, fill_market, walk
from trading.money import MILLIONTHS, multiple
from trading.orders import Quote, Rules
from trading.sizing import FIXED_LOTS, Sizing
from trading.targets import DAY, FOK, IOC, LOTS, MARKET, STOP, STOP_LIMIT

# status of an order
WORKING = 0
FILLED = 1
CANCELLED = 2
EXPIRED = 3
REJECTED = 4

# kind of a report; the first five are those of `apps.execution.contracts.ReportKind`
REPORT_ACCEPTED = 0
REPORT_FILLED = 1
REPORT_REJECTED = 2
REPORT_CANCELLED = 3
REPORT_EXPIRED = 4
REPORT_CASH = 10
REPORT_TRIGGERED = 100  # the broker's own notes: they are kept, and told to nobody
REPORT_DAY = 101

CODE_REDUCE_ONLY = 8  # of `apps.execution.paper.protocol.Code`

ORDER_DTYPE = np.dtype(
    [
        ("account", np.int32),  # slot
        ("instrument", np.int32),
        ("steps", np.int64),  # signed
        ("filled", np.int64),
        ("most", np.int64),  # steps that the next fill may have; 0: all
        ("limit_ticks", np.int64),
        ("stop_ticks", np.int64),
        ("expires", np.int64),  # ns UTC
        ("arrived", np.int64),
        ("since", np.int64),  # the time of the prices there were then, ns UTC; -1: there were none
        ("session", np.int64),
        ("trail_ticks", np.int64),  # of a protective order, whose stop loss and take profit are stop and limit,
        ("base_steps", np.int64),  # and what its book held when it was decided
        ("tag", np.int64),  # the book that an order is of, where it has a ticket of its own; 0: none
        ("ticket", np.int64),  # number of that ticket, from 1
        ("day", np.int32),  # session day of the first prices it saw; -1 before
        ("kind", np.int8),  # trading.targets: MARKET, LIMIT, STOP, STOP_LIMIT; PROTECTIVE
        ("time_in_force", np.int8),
        ("reduce_only", np.int8),
        ("triggered", np.int8),
        ("held_back", np.int8),  # 1: it meets no price yet
        ("status", np.int8),
    ],
    align=True,
)

REPORT_DTYPE = np.dtype(
    [
        ("order", np.int64),
        ("steps", np.int64),
        ("price_e9", np.int64),
        ("fee_micro", np.int64),
        ("cash_micro", np.int64),  # by which the account's cash changed
        ("at_ns", np.int64),
        ("kind", np.int32),
        ("code", np.int32),
        ("account", np.int32),  # of cash, which is of no order (-1)
        ("instrument", np.int32),
    ],
    align=True,
)

PRICE_DTYPE = np.dtype(
    [
        ("known", np.int64),
        ("time", np.int64),  # ns UTC of the open
        ("closed", np.int64),
        ("day", np.int64),
        ("ask_open", np.float64),
        ("ask_high", np.float64),
        ("ask_low", np.float64),
        ("ask_close", np.float64),
        ("bid_open", np.float64),
        ("bid_high", np.float64),
        ("bid_low", np.float64),
        ("bid_close", np.float64),
    ],
    align=True,
)

TERMS_DTYPE = np.dtype(
    [("tick_size", np.float64), ("lot_step", np.float64), ("contract_size", np.float64), ("currency", np.int64)],
    align=True,
)

ACCOUNT_DTYPE = np.dtype(
    [
        ("number", np.int64),
        ("cash_micro", np.int64),
        ("session", np.int64),
        ("fee_rate", np.float64),
        ("currency", np.int64),
        ("via", np.int64),  # the currency over which is converted where there is no rate; 0: none
        ("hedging", np.int64),  # 1: its orders name tickets, which reduce-only ones can but close
    ],
    align=True,
)


class Venue(NamedTuple):
    """What orders meet: records by instrument and by account, and what accounts hold."""

    prices: Any  # PRICE_DTYPE[instruments]
    terms: Any  # TERMS_DTYPE[instruments]
    accounts: Any  # ACCOUNT_DTYPE[accounts]
    positions: Any  # int64[instruments, accounts], steps
    opening: Any  # float64[currencies, currencies]: what a unit of the first was worth in the second at the open,
    rates: Any  # and at the close of the prices; 0: not known


def scratch_desk() -> Desk:
    """Return the desk that `match` fills one order on after the other."""
    return open_desk(0.0, 1, 1, 8)


@kernel
def match(orders: Any, rows: Any, venue: Venue, costs: Costs, desk: Desk, reports: Any) -> int:
    """Match `rows` of the working `orders` against the prices in `venue`, in the order given.

    Orders, positions and cash change here. `reports`, REPORT_DTYPE, has room for four a row; the number that was
    written is returned.
    """
    n = 0
    for row in rows:
        order = orders[row]
        price = venue.prices[order.instrument]
        conversions = conversions_of(venue, order.instrument, order.account)
        if price.known == 0 or conversions[1] == 0.0 or order.status != WORKING:
            continue
        if order.time_in_force == DAY and order.day < 0:
            order.day = price.day
            n = note(reports, n, row, price.time, REPORT_DAY, price.day)
        held = venue.positions[order.instrument, order.account]
        left = order.steps - order.filled
        reducible = _reducible(left, held) if order.reduce_only else left
        if reducible == 0:
            order.status = CANCELLED
            n = note(reports, n, row, price.time, REPORT_CANCELLED, CODE_REDUCE_ONLY)
            continue
        steps = reducible
        if order.most != 0 and abs(steps) > order.most:
            steps = order.most if steps > 0 else -order.most
        order.most = 0
        terms = venue.terms[order.instrument]
        _place(desk, order, multiple(float(steps), terms.lot_step), terms.tick_size)
        quote, fee_rate = quote_at(price, conversions), venue.accounts[order.account].fee_rate
        _fill(desk, quote, price.day, spec_of(terms), rules_of(costs, fee_rate))
        book = desk.books[0]
        if desk.account[0].n_fills > 0:
            fill = desk.fills[0]
            done = np.int64(np.rint(fill.quantity / terms.lot_step))
            n = note(reports, n, row, fill.time, REPORT_FILLED, 0)
            reports[n - 1].steps = done
            reports[n - 1].price_e9 = np.int64(np.rint(fill.price * 1e9))
            reports[n - 1].fee_micro = np.int64(np.rint(fill.fee * MILLIONTHS))
            reports[n - 1].cash_micro = np.int64(np.rint(desk.account[0].cash * MILLIONTHS))
            apply_fill(order, venue, reports[n - 1])
        if book.triggered and not order.triggered and order.status == WORKING:
            order.triggered = 1
            n = note(reports, n, row, price.time, REPORT_TRIGGERED, 0)
        if order.status == WORKING:
            n = _end(reports, n, row, order, desk, price.time, left != reducible)
    return n


@inner_kernel
def apply_fill(order: Any, venue: Venue, report: Any) -> None:
    """Book a fill on its order, its account's cash and position."""
    order.filled += report.steps
    if order.filled == order.steps:
        order.status = FILLED
    venue.positions[order.instrument, order.account] += report.steps
    venue.accounts[order.account].cash_micro += report.cash_micro


@kernel
def replay(orders: Any, venue: Venue, reports: Any) -> None:
    """Apply reports that were kept to orders, positions and cash: what `match` and the broker had done."""
    for k in range(reports.size):
        report = reports[k]
        order = orders[report.order]
        if report.kind == REPORT_FILLED:
            apply_fill(order, venue, report)
        elif report.kind == REPORT_TRIGGERED:
            order.triggered = 1
        elif report.kind == REPORT_DAY:
            order.day = report.code
        elif report.kind == REPORT_REJECTED:
            order.status = REJECTED
        elif report.kind == REPORT_CANCELLED:
            order.status = CANCELLED
        elif report.kind == REPORT_EXPIRED:
            order.status = EXPIRED


@inner_kernel
def _reducible(left: int, held: int) -> int:
    if left > 0:
        return min(left, max(0, -held))
    return max(left, min(0, -held))


@inner_kernel
def note(reports: Any, n: int, row: int, at_ns: int, kind: int, code: int) -> int:
    """Write report number `n` of an order; return how many there are then."""
    report = reports[n]
    report.order = row
    report.steps = 0
    report.price_e9 = 0
    report.fee_micro = 0
    report.cash_micro = 0
    report.at_ns = at_ns
    report.kind = kind
    report.code = code
    return n + 1


@inner_kernel
def _place(desk: Desk, order: Any, lots: float, tick: float) -> None:
    """Make the order the one that works on a desk that holds nothing and can afford everything."""
    account, book, ticket = desk.account[0], desk.books[0], desk.tickets[0, 0]
    account.cash = 0.0
    account.equity = np.inf
    account.margin = 0.0
    account.n_fills = 0
    account.n_expired = 0
    ticket.quantity = 0.0
    book.quantity = 0.0
    scratch_order(desk, order, lots, tick)
    book.goal = lots
    book.attached = 1


@inner_kernel
def scratch_order(desk: Desk, order: Any, lots: float, tick: float) -> None:
    """Make an order of `lots` the one that works on a desk."""
    book = desk.books[0]
    book.working = 1
    book.kind = order.kind
    book.side = 1 if lots > 0.0 else -1
    book.value = lots
    book.mode = LOTS
    stop_first = order.kind == STOP or order.kind == STOP_LIMIT
    book.price = multiple(float(order.stop_ticks if stop_first else order.limit_ticks), tick)
    book.limit_price = multiple(float(order.limit_ticks), tick)
    book.time_in_force = order.time_in_force
    book.expires = order.expires
    book.day = order.day
    book.since = 0
    book.triggered = order.triggered
    book.used_bar = -1
    book.live = 1


@inner_kernel
def _fill(desk: Desk, quote: Quote, day: int, spec: Spec, rules: Rules) -> None:
    expire(desk, quote.at, day)
    if not desk.books[0].working:
        return
    if desk.books[0].kind == MARKET:
        fill_market(desk, at_open(quote), spec, rules, 0)
    else:
        walk(desk, quote, spec, rules)


@inner_kernel
def conversions_of(venue: Venue, instrument: int, account: int) -> tuple[float, float]:
    """Return what a unit of a quote currency is worth to an account, at the open and at the close; 0: nobody knows."""
    theirs, ours = venue.terms[instrument].currency, venue.accounts[account].currency
    via = venue.accounts[account].via
    return rate_over(venue.opening, theirs, via, ours), rate_over(venue.rates, theirs, via, ours)


@inner_kernel
def rate_over(rates: Any, theirs: int, via: int, ours: int) -> float:
    """Return what a unit of a currency is worth in another, over a third where there is no pair of both."""
    if rates[theirs, ours] > 0.0 or via == 0:
        return float(rates[theirs, ours])
    return float(rates[theirs, via] * rates[via, ours])


@inner_kernel
def quote_at(price: Any, conversions: tuple[float, float]) -> Quote:
    """Return prices as the bar that orders meet."""
    return Quote(
        At(0, 0, price.time, conversions[0]), At(0, 0, price.closed, conversions[1]), np.nan, np.nan,
        price.ask_open, price.ask_high, price.ask_low, price.ask_close,
        price.bid_open, price.bid_high, price.bid_low, price.bid_close,
    )  # fmt: skip


@inner_kernel
def rules_of(costs: Costs, fee_rate: float) -> Rules:
    """Return how an account with its own fee trades."""
    charged = Costs(
        fee_rate, costs.fee_unit, costs.fee_lot, costs.fee_minimum, costs.half_spread,
        costs.slip_rate, costs.slip_fixed, costs.slip_volume, 0.0,
    )  # fmt: skip
    return Rules(charged, Sizing(FIXED_LOTS, 0.0, 1), 1, 0, np.nan, 0.0, 0)


@inner_kernel
def spec_of(terms: Any) -> Spec:
    """Return an instrument whose margin nobody asks for."""
    return Spec(terms.tick_size, terms.lot_step, 0.0, terms.contract_size, 0.0, 1)


@inner_kernel
def _end(reports: Any, n: int, row: int, order: Any, desk: Desk, at_ns: int, reduced: bool) -> int:
    """Note the end of an order that works no longer and is not filled."""
    filled = desk.account[0].n_fills > 0
    if desk.account[0].n_expired > 0:
        order.status = EXPIRED
        return note(reports, n, row, at_ns, REPORT_EXPIRED, 0)
    at_once = order.time_in_force == IOC or order.time_in_force == FOK
    if (at_once and not desk.books[0].working) or (filled and reduced):
        order.status = CANCELLED
        return note(reports, n, row, at_ns, REPORT_CANCELLED, CODE_REDUCE_ONLY if reduced else 0)
    return n
