"""Matching against one bar: which resting orders of a channel its prices reach, in which order, at what price.

A bar is walked as four legs: its open (a leg of no length), then open -> first extreme -> second extreme -> close. The
first extreme is the one nearer to the open (mid prices); a tie goes low first in a bar that rose, high first in one
that fell. Buys watch the ask, sells the bid. On a leg, whatever its price has already passed fills at once at the
price of that moment (so a gap fills at the open, not at the stop price); what it crosses fills at the level, in the
order of crossing; at the same moment protective stops come before take profits, and both before entries. A bar that
opened before an order was decided does not fill it (channels of other intervals have such bars).
`docs/engine.md` tells it case by case.
"""

from typing import Any

import numpy as np

from trading.books import At, Desk, Spec, book_fill
from trading.compiled import inner_kernel
from trading.costs import taker_price
from trading.ledger import MARGIN_CALL, STOP_LOSS, TAKE_PROFIT, TRAIL
from trading.money import to_step, to_tick
from trading.orders import Place, Quote, Rules, cancel, fill_entry, follow, refresh_live, room, sized_goal
from trading.sizing import whole_lots
from trading.targets import DAY, FOK, GTD, IOC, LIMIT, MARKET, STOP, STOP_LIMIT

NEVER = 2.0  # a moment beyond the end of any leg
_EVENTS = 256  # more fills than one leg can have


@inner_kernel
def at_open(quote: Quote) -> Place:
    """Return the bar's open as a place to fill."""
    return Place(quote.at, quote.ask_open, quote.bid_open, quote.volume, quote.volatility)


@inner_kernel
def expire(desk: Desk, at: At, day: int) -> None:
    """Cancel the channel's working order if its time is over before the bar that opens `at`, on session day `day`."""
    book = desk.books[at.channel]
    if at.time < book.since:
        return
    late = book.time_in_force == GTD and at.time >= book.expires
    if book.day < 0:
        book.day = day
    elif book.time_in_force == DAY and day != book.day:
        late = True
    if late:
        cancel(book)
        desk.account[0].n_expired += 1


@inner_kernel
def fill_market(desk: Desk, place: Place, spec: Spec, rules: Rules, side: int) -> None:
    """Fill a working market order at `place`; with `side` -1 only if it sells."""
    book = desk.books[place.at.channel]
    if not book.working or book.kind != MARKET or place.at.time < book.since:
        return
    if side < 0:
        goal = book.goal
        if np.isnan(goal):
            goal = sized_goal(desk, place, spec, rules, np.nan)
        book.goal = goal
        if not goal < book.quantity:
            return
    fill_entry(desk, place, spec, rules, np.nan)
    refresh_live(desk, place.at.channel)


@inner_kernel
def walk(desk: Desk, quote: Quote, spec: Spec, rules: Rules) -> None:
    """Fill the channel's resting and protective orders along the bar's path."""
    asks, bids = _path(quote)
    book = desk.books[quote.at.channel]
    for leg in range(4):
        ask = (asks[leg], asks[leg + 1])
        bid = (bids[leg], bids[leg + 1])
        _walk_leg(desk, quote, quote.at if leg == 0 else quote.closed, spec, rules, ask, bid)
        at_once = book.time_in_force == IOC or book.time_in_force == FOK
        if leg == 0 and book.working and at_once and quote.at.time >= book.since:
            cancel(book)
    refresh_live(desk, quote.at.channel)


@inner_kernel
def _path(quote: Quote) -> Any:
    opened = quote.ask_open + quote.bid_open
    up = quote.ask_high + quote.bid_high - opened
    down = opened - quote.ask_low - quote.bid_low
    rose = quote.ask_close + quote.bid_close >= opened
    # Ticks such as 0.0001 have no exact float64: extremes that are equally far may differ in their last bits.
    tie = abs(up - down) <= 1e-10 * opened
    if not rose if tie else up < down:
        asks = (quote.ask_open, quote.ask_open, quote.ask_high, quote.ask_low, quote.ask_close)
        bids = (quote.bid_open, quote.bid_open, quote.bid_high, quote.bid_low, quote.bid_close)
    else:
        asks = (quote.ask_open, quote.ask_open, quote.ask_low, quote.ask_high, quote.ask_close)
        bids = (quote.bid_open, quote.bid_open, quote.bid_low, quote.bid_high, quote.bid_close)
    return asks, bids


@inner_kernel
def _walk_leg(
    desk: Desk, quote: Quote, at: At, spec: Spec, rules: Rules, ask: tuple[float, float], bid: tuple[float, float]
) -> None:
    book = desk.books[at.channel]
    tickets = desk.tickets[at.channel]
    may_enter = quote.at.time >= book.since
    full = False
    moment = 0.0
    for _ in range(_EVENTS):
        if rules.costs.volume_cap > 0.0:
            here = Place(at, ask[0], bid[0], quote.volume, quote.volatility)
            full = to_step(room(book, here, spec, rules.costs), spec.lot_step) == 0.0
        best = NEVER
        slot = -1
        reason = -1
        for k in range(tickets.size):
            if tickets[k].quantity != 0.0:
                when, why = _protective(tickets[k], ask, bid, moment, full)
                if when < best:
                    best, slot, reason = when, k, why
        when = _entry(book, ask, bid, moment, full) if may_enter else NEVER
        entry = when < best
        if entry:
            best = when
        if best > 1.0:
            break
        moment = best
        place = Place(at, _price(ask, moment), _price(bid, moment), quote.volume, quote.volatility)
        _follow_all(tickets, place, spec.tick_size)
        if entry:
            _fill_resting(desk, place, spec, rules)
        else:
            _close_ticket(desk, place, spec, rules, slot, reason)
    _follow_all(tickets, Place(at, ask[1], bid[1], quote.volume, quote.volatility), spec.tick_size)


@inner_kernel
def _price(leg: tuple[float, float], moment: float) -> float:
    if moment == 0.0:
        return leg[0]
    if moment == 1.0:
        return leg[1]
    return leg[0] + (leg[1] - leg[0]) * moment


@inner_kernel
def _reaches(leg: tuple[float, float], level: float, upward: bool, moment: float) -> float:
    """Return when the leg is at or beyond `level`, at `moment` or later; NEVER if it is not (or `level` is nan)."""
    now = _price(leg, moment)
    if (upward and now >= level) or (not upward and now <= level):
        return moment
    if (upward and leg[1] >= level) or (not upward and leg[1] <= level):
        return max(moment, min(1.0, (level - leg[0]) / (leg[1] - leg[0])))
    return NEVER


@inner_kernel
def _protective(ticket: Any, ask: tuple[float, float], bid: tuple[float, float], moment: float, full: bool) -> Any:
    if ticket.closing > 0:
        return NEVER if full else moment, ticket.closing - 1
    is_long = ticket.quantity > 0.0
    leg = bid if is_long else ask
    best = _reaches(leg, ticket.stop_loss, not is_long, moment)
    reason = STOP_LOSS
    when = _reaches(leg, ticket.trail_stop, not is_long, moment)
    if when < best:
        best, reason = when, TRAIL
    when = _reaches(leg, ticket.take_profit, is_long, moment)
    if when < best:
        best, reason = when, TAKE_PROFIT
    return best, reason


@inner_kernel
def _entry(book: Any, ask: tuple[float, float], bid: tuple[float, float], moment: float, full: bool) -> float:
    if not book.working or book.kind == MARKET or (full and (book.kind == LIMIT or book.triggered)):
        return NEVER
    buys = book.side > 0
    leg = ask if buys else bid
    if book.kind == LIMIT:
        return _reaches(leg, book.price, not buys, moment)
    if book.kind == STOP_LIMIT and book.triggered:
        return _reaches(leg, book.limit_price, not buys, moment)
    if book.kind == STOP and book.triggered:
        return moment
    return _reaches(leg, book.price, buys, moment)


@inner_kernel
def _fill_resting(desk: Desk, place: Place, spec: Spec, rules: Rules) -> None:
    book = desk.books[place.at.channel]
    buys = book.side > 0
    now = place.ask if buys else place.bid
    if book.kind == STOP_LIMIT and not book.triggered:
        book.triggered = 1
        return
    if book.kind == LIMIT or book.kind == STOP_LIMIT:
        limit = book.price if book.kind == LIMIT else book.limit_price
        fill_entry(desk, place, spec, rules, to_tick(_crossed(limit, now), spec.tick_size, book.side))
        return
    level = now if book.triggered else _crossed(book.price, now)
    book.triggered = 1
    if buys:
        place = Place(place.at, level, place.bid, place.volume, place.volatility)
    else:
        place = Place(place.at, place.ask, level, place.volume, place.volatility)
    fill_entry(desk, place, spec, rules, np.nan)


@inner_kernel
def _close_ticket(desk: Desk, place: Place, spec: Spec, rules: Rules, slot: int, reason: int) -> None:
    """Close a ticket whose protective order is reached; what the volume cap leaves goes on at market."""
    book = desk.books[place.at.channel]
    ticket = desk.tickets[place.at.channel, slot]
    side = -1 if ticket.quantity > 0.0 else 1
    now = place.bid if side < 0 else place.ask
    quote = _protective_price(ticket, now, reason)
    if reason == TAKE_PROFIT:
        quote = to_tick(quote, spec.tick_size, side)
    lots = -ticket.quantity
    available = room(book, place, spec, rules.costs)
    if abs(lots) > available:
        lots = whole_lots(np.copysign(available, lots), spec.lot_step, 0.0)
    cancel(book)
    done = lots == -ticket.quantity
    if lots != 0.0:
        paid = quote
        if reason != TAKE_PROFIT or ticket.closing > 0:
            share = abs(lots) * spec.contract_size / place.volume if place.volume > 0.0 else 0.0
            paid = taker_price(rules.costs, quote, side, share, spec.tick_size)
        book_fill(desk, place.at, spec, rules.costs, slot, lots, (paid, quote), reason)
    ticket.closing = 0 if done else reason + 1


@inner_kernel
def _protective_price(ticket: Any, now: float, reason: int) -> float:
    if ticket.closing > 0:
        return now
    if reason == TRAIL:
        return _crossed(ticket.trail_stop, now)
    return _crossed(ticket.take_profit if reason == TAKE_PROFIT else ticket.stop_loss, now)


@inner_kernel
def _crossed(level: float, now: float) -> float:
    """Return the level where the price is crossing it just now, else the price: gaps and leftovers fill there."""
    if abs(now - level) <= 1e-9 * abs(level):
        return level
    return now


@inner_kernel
def _follow_all(tickets: Any, place: Place, tick: float) -> None:
    for slot in range(tickets.size):
        if tickets[slot].quantity != 0.0:
            follow(tickets[slot], place, tick)


@inner_kernel
def liquidate(desk: Desk, place: Place, spec: Spec, rules: Rules) -> None:
    """Close everything the channel holds at `place`, whatever the volume, and cancel its order: the margin call."""
    channel = place.at.channel
    cancel(desk.books[channel])
    for slot in range(desk.tickets.shape[1]):
        held = desk.tickets[channel, slot].quantity
        if held != 0.0:
            side = -1 if held > 0.0 else 1
            quote = place.bid if side < 0 else place.ask
            paid = taker_price(rules.costs, quote, side, 0.0, spec.tick_size)
            book_fill(desk, place.at, spec, rules.costs, slot, -held, (paid, quote), MARGIN_CALL)
    refresh_live(desk, channel)
