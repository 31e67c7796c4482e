"""From a target to a working order, and from a working order to fills: one channel's side of an account."""

from typing import Any, NamedTuple

import numpy as np

from trading.books import At, Desk, Spec, book_fill, kelly_share
from trading.compiled import inlined_kernel, inner_kernel
from trading.costs import Costs, taker_price
from trading.ledger import ENTRY_LIMIT, ENTRY_STOP, TARGET
from trading.money import on_step, to_tick
from trading.sizing import Holding, Sizing, affordable_lots, desired_lots, share_of_equity, whole_lots
from trading.targets import FOK, IOC, LIMIT, LOTS, MARKET, STOP_LIMIT, Target, impossible_field

REASON_OF_ENTRY = (TARGET, ENTRY_LIMIT, ENTRY_STOP, ENTRY_LIMIT)


class Rules(NamedTuple):
    """How an account trades, as numbers."""

    costs: Costs
    sizing: Sizing
    size_at_decision: int
    fill_at_close: int
    band: float  # drift of weight that rebalances; nan: never
    margin_call: float
    hedging: int


class Quote(NamedTuple):
    """One channel's bar on both sides. Without quotes both sides are the mid with half the spread added."""

    at: At  # the bar's open
    closed: At
    volume: float  # units; nan: not known
    volatility: float  # a year, as a share; nan unless the sizing asks for it
    ask_open: float
    ask_high: float
    ask_low: float
    ask_close: float
    bid_open: float
    bid_high: float
    bid_low: float
    bid_close: float


class Place(NamedTuple):
    """A moment in a bar at which an order can be filled: time and both sides' prices there."""

    at: At
    ask: float
    bid: float
    volume: float
    volatility: float


@inner_kernel
def is_new(book: Any, target: Target) -> bool:
    """Tell whether `target` is another version than the one the book saw last."""
    if np.isnan(target.value):
        return False
    if target.version != 0 or book.seen_version != 0:
        return bool(target.version != book.seen_version)
    return bool(
        target.value != book.seen_value
        or target.mode != book.seen_mode
        or target.entry != book.seen_entry
        or differs(target.price, book.seen_price)
        or differs(target.limit_price, book.seen_limit_price)
        or differs(target.stop_loss, book.seen_stop_loss)
        or differs(target.take_profit, book.seen_take_profit)
        or differs(target.trail, book.seen_trail)
        or target.time_in_force != book.seen_time_in_force
        or target.expires != book.seen_expires
    )


@inner_kernel
def differs(a: float, b: float) -> bool:
    """Tell whether two numbers are not the same; nan is the same as nan."""
    return a != b and not (np.isnan(a) and np.isnan(b))


@inner_kernel
def accept(desk: Desk, place: Place, spec: Spec, rules: Rules, target: Target) -> None:
    """Make a new version of a channel's target its working order; what worked before is cancelled.

    Lots are fixed here with `size_at_decision`, at the fill otherwise. Limit and stop orders take their side here; a
    limit between two ticks is put on the one that is better than it, a stop on the one that it is filled at. A target
    that cannot be is noted in the account as refused, and from then on no other is accepted.
    """
    account = desk.account[0]
    if account.refused:
        return
    book = desk.books[place.at.channel]
    book.seen_value = target.value
    book.seen_mode = target.mode
    book.seen_entry = target.entry
    book.seen_price = target.price
    book.seen_limit_price = target.limit_price
    book.seen_stop_loss = target.stop_loss
    book.seen_take_profit = target.take_profit
    book.seen_trail = target.trail
    book.seen_time_in_force = target.time_in_force
    book.seen_expires = target.expires
    book.seen_version = target.version
    if impossible_field(target):
        account.refused = 1 + place.at.channel
        account.refused_bar = place.at.bar
        book.working = 0
        return
    book.kind = target.entry
    book.value = target.value
    book.mode = target.mode
    book.price = target.price
    book.limit_price = target.limit_price
    book.stop_loss = target.stop_loss
    book.take_profit = target.take_profit
    book.trail = target.trail
    book.time_in_force = target.time_in_force
    book.expires = target.expires
    book.day = -1
    book.since = 0
    book.triggered = 0
    book.attached = 0
    book.slot = -1
    book.side = 0
    book.goal = np.nan
    book.weight = np.nan
    book.working = 0 if desk.account[0].ruined else 1
    if book.working and (rules.size_at_decision or target.entry != MARKET):
        reference = target.price if target.entry != MARKET else np.nan
        goal = sized_goal(desk, place, spec, rules, reference)
        if np.isnan(goal):
            desk.account[0].n_unsized += 1
            cancel(book)
        else:
            book.side = int(np.sign(goal - book.quantity))
            if book.side == 0 and target.entry != MARKET:
                cancel(book)
            if target.entry == LIMIT:
                book.price = to_tick(target.price, spec.tick_size, -book.side)
            elif target.entry != MARKET:
                book.price = to_tick(target.price, spec.tick_size, book.side)
            if target.entry == STOP_LIMIT:
                book.limit_price = to_tick(target.limit_price, spec.tick_size, -book.side)
            if rules.size_at_decision:
                book.goal = goal
    book.live = 1


@inner_kernel
def cancel(book: Any) -> None:
    """End the working order; what the book holds is what it wants to hold, until the next version."""
    book.working = 0
    book.weight = np.nan


@inlined_kernel
def sized_goal(desk: Desk, place: Place, spec: Spec, rules: Rules, price: float) -> float:
    """Return the signed whole lots that the book's target comes to; nan if it cannot be sized. Margin is not asked.

    Sized at `price`; with nan, at what a taker pays at `place`, on the side that the difference turns out to be.
    """
    book = desk.books[place.at.channel]
    if book.value == 0.0:
        return 0.0
    if not np.isnan(price):
        return goal_of(rules, spec, holding_at(desk, place, spec, price), book.mode, book.value)
    paid = taker_price(rules.costs, place.ask, 1, 0.0, spec.tick_size)
    goal = goal_of(rules, spec, holding_at(desk, place, spec, paid), book.mode, book.value)
    if goal < book.quantity:
        paid = taker_price(rules.costs, place.bid, -1, 0.0, spec.tick_size)
        goal = min(book.quantity, goal_of(rules, spec, holding_at(desk, place, spec, paid), book.mode, book.value))
    return goal


@inlined_kernel
def holding_at(desk: Desk, place: Place, spec: Spec, price: float) -> Holding:
    """Return what the channel's orders are sized from, at `price`."""
    account = desk.account[0]
    book = desk.books[place.at.channel]
    lot_value = price * (spec.contract_size * place.at.conversion)
    equity = account.cash + book.quantity * lot_value if np.isnan(account.equity) else account.equity
    stop_value = abs(price - book.stop_loss) * spec.contract_size * place.at.conversion
    return Holding(equity, book.quantity, lot_value, stop_value, place.volatility, kelly_share(account))


@inlined_kernel
def within_margin(desk: Desk, place: Place, spec: Spec, rules: Rules, goal: float, price: float) -> float:
    """Return `goal`, or the most whole lots of its sign that the account's margin allows at `price`."""
    account = desk.account[0]
    holding = holding_at(desk, place, spec, price)
    other_margin = 0.0
    if not np.isnan(account.equity):
        other_margin = max(0.0, account.margin - abs(holding.held) * holding.lot_value * spec.margin_rate)
    afforded = afforded_goal(rules, spec, holding, goal, other_margin)
    account.n_reduced += int(afforded != goal)
    return afforded


@inlined_kernel
def afforded_goal(rules: Rules, spec: Spec, holding: Holding, goal: float, other_margin: float) -> float:
    """Return `goal`, or the most whole lots of its sign whose margin is there."""
    lot_fee = holding.lot_value * rules.costs.fee_rate + spec.contract_size * rules.costs.fee_unit + rules.costs.fee_lot
    afforded = affordable_lots(goal, holding, other_margin, spec.margin_rate, lot_fee, rules.costs.fee_minimum)
    if afforded == goal:
        return goal
    return whole_lots(afforded, spec.lot_step, spec.lot_min)


@inlined_kernel
def goal_of(rules: Rules, spec: Spec, holding: Holding, mode: int, value: float) -> float:
    """Return the signed whole lots that a target comes to, nan if its rule cannot size it."""
    unit_fee = spec.contract_size * rules.costs.fee_unit + rules.costs.fee_lot
    return whole_lots(
        desired_lots(rules.sizing, rules.costs, holding, mode, value, unit_fee), spec.lot_step, spec.lot_min
    )


@inlined_kernel
def fill_entry(desk: Desk, place: Place, spec: Spec, rules: Rules, price: float) -> None:
    """Fill the working order at `place` as far as volume allows. An order that is done, or must not rest, ends.

    `price` is a limit order's price, nan for one that takes the quote.
    """
    book = desk.books[place.at.channel]
    if np.isnan(book.goal):
        book.goal = sized_goal(desk, place, spec, rules, price)
        if np.isnan(book.goal):
            desk.account[0].n_unsized += 1
            cancel(book)
            return
    if book.goal != book.quantity:
        quote = place.ask if book.goal > book.quantity else place.bid
        paid = taker_price(rules.costs, quote, 1 if book.goal > book.quantity else -1, 0.0, spec.tick_size)
        book.goal = within_margin(desk, place, spec, rules, book.goal, paid if np.isnan(price) else price)
    lots = on_step(book.goal - book.quantity, spec.lot_step)
    if book.side * lots < 0.0:
        lots = 0.0
    share = share_of_equity(rules.sizing, book.value, place.volatility, kelly_share(desk.account[0]))
    available = room(book, place, spec, rules.costs)
    if abs(lots) > available:
        if book.time_in_force == FOK:
            cancel(book)
            return
        part = whole_lots(np.copysign(available, lots), spec.lot_step, 0.0)
    else:
        part = lots
    if part != 0.0:
        quote = place.ask if part > 0.0 else place.bid
        paid = price
        if np.isnan(price):
            of_volume = abs(part) * spec.contract_size / place.volume if place.volume > 0.0 else 0.0
            paid = taker_price(rules.costs, quote, 1 if part > 0.0 else -1, of_volume, spec.tick_size)
        else:
            quote = price
        _trade(desk, place.at, spec, rules, part, paid, quote)
    _attach_bracket(desk, place, spec, rules)
    if part == lots:
        book.working = 0
        book.weight = share if book.mode != LOTS else np.nan
    elif book.time_in_force == IOC:
        cancel(book)


@inner_kernel
def room(book: Any, place: Place, spec: Spec, costs: Costs) -> float:
    """Return the lots that the volume cap still lets this channel trade in this bar (inf without a cap)."""
    if costs.volume_cap <= 0.0:
        return np.inf
    most = costs.volume_cap * place.volume / spec.contract_size
    left = most - (book.used_lots if book.used_bar == place.at.bar else 0.0)
    return left if left > 1e-12 * most else 0.0


@inlined_kernel
def _trade(desk: Desk, at: At, spec: Spec, rules: Rules, lots: float, paid: float, quote: float) -> None:
    book = desk.books[at.channel]
    reason = REASON_OF_ENTRY[book.kind]
    before = book.quantity
    if not rules.hedging:
        book_fill(desk, at, spec, rules.costs, 0, lots, (paid, quote), reason)
    else:
        rest = lots
        while rest != 0.0:
            slot = _oldest_against(desk.tickets[at.channel], rest)
            if slot < 0:
                if book.slot < 0 or desk.tickets[at.channel, book.slot].quantity == 0.0:
                    book.slot = _free_slot(desk, at.channel)
                    book.attached = 0
                book_fill(desk, at, spec, rules.costs, book.slot, rest, (paid, quote), reason)
                break
            held = desk.tickets[at.channel, slot].quantity
            part = rest if abs(rest) < abs(held) else -held
            if abs(rest + held) <= 1e-12 * abs(lots):
                part = -held
                rest = 0.0
            else:
                rest = on_step(rest - part, spec.lot_step)
            book_fill(desk, at, spec, rules.costs, slot, part, (paid, quote), reason)
    if not np.isnan(desk.account[0].equity):
        lot_value = paid * spec.contract_size * at.conversion
        desk.account[0].margin += (abs(book.quantity) - abs(before)) * lot_value * spec.margin_rate


@inner_kernel
def _oldest_against(tickets: Any, lots: float) -> int:
    found = -1
    for slot in range(tickets.size):
        if tickets[slot].quantity * lots < 0.0 and (found < 0 or tickets[slot].number < tickets[found].number):
            found = slot
    return found


@inner_kernel
def _free_slot(desk: Desk, channel: int) -> int:
    tickets = desk.tickets[channel]
    newest = 0
    free = -1
    for slot in range(tickets.size):
        if tickets[slot].number > tickets[newest].number:
            newest = slot
        if free < 0 and tickets[slot].quantity == 0.0:
            free = slot
    if free < 0:
        desk.account[0].n_merged += 1
        return newest
    tickets[free].number = tickets[newest].number + 1
    tickets[free].stop_loss = np.nan
    tickets[free].take_profit = np.nan
    tickets[free].trail = np.nan
    tickets[free].trail_stop = np.nan
    tickets[free].closing = 0
    return free


@inlined_kernel
def _attach_bracket(desk: Desk, place: Place, spec: Spec, rules: Rules) -> None:
    """Put the order's bracket on its ticket, once: parts that are filled later find a trailing stop that has moved.

    What is still held on the other side keeps its own bracket until it is closed.
    """
    book = desk.books[place.at.channel]
    tickets = desk.tickets[place.at.channel]
    slot = 0
    for other in range(1, tickets.size):
        if tickets[other].quantity != 0.0 and tickets[other].number > tickets[slot].number:
            slot = other
    ticket = tickets[slot]
    if book.attached or not ticket.quantity * book.goal > 0.0:
        return
    book.attached = 1
    side = int(np.sign(ticket.quantity))
    ticket.stop_loss = to_tick(book.stop_loss, spec.tick_size, -side)
    ticket.take_profit = to_tick(book.take_profit, spec.tick_size, side)
    ticket.trail = to_tick(book.trail, spec.tick_size, 1)
    ticket.closing = 0
    ticket.trail_stop = np.nan
    follow(ticket, place, spec.tick_size)


@inner_kernel
def follow(ticket: Any, place: Place, tick: float) -> None:
    """Move a ticket's trailing stop behind the closing side's price, on the tick it is filled at; never back."""
    if ticket.quantity > 0.0 and ticket.trail > 0.0:
        stop = to_tick(place.bid - ticket.trail, tick, -1)
        if np.isnan(ticket.trail_stop) or stop > ticket.trail_stop:
            ticket.trail_stop = stop
    elif ticket.quantity < 0.0 and ticket.trail > 0.0:
        stop = to_tick(place.ask + ticket.trail, tick, 1)
        if np.isnan(ticket.trail_stop) or stop < ticket.trail_stop:
            ticket.trail_stop = stop


@inner_kernel
def refresh_live(desk: Desk, channel: int) -> None:
    """Note whether the channel has anything that a bar could fill."""
    book = desk.books[channel]
    live = book.working
    if book.quantity != 0.0:
        tickets = desk.tickets[channel]
        for slot in range(tickets.size):
            ticket = tickets[slot]
            if ticket.quantity != 0.0 and not (
                np.isnan(ticket.stop_loss)
                and np.isnan(ticket.take_profit)
                and not ticket.trail > 0.0
                and ticket.closing == 0
            ):
                live = 1
    book.live = live
