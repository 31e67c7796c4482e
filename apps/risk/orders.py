"""What follows from orders that are asked for, filled or ended: verdicts, and reservations made and given back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from apps.execution.contracts import InstrumentTerms, OrdersEnded, OrdersFilled, OrdersRequested
from apps.risk.contracts import OrdersApproved, OrdersRefused, QuotesNoted, ReservationsCut
from apps.risk.kernels import reasons
from apps.risk.kernels.checking import check_orders
from apps.risk.kernels.records import (
    ACCOUNT_NOW_DTYPE,
    CELL_NOW_DTYPE,
    QUOTE_DTYPE,
    RATE_E9_MAX,
    STEPS_MAX,
    Asked,
)
from apps.risk.kernels.reserving import cut, find_cuts, pass_decisions, renew_cells, reserve
from apps.risk.rows import NO_COLUMN, chosen_rows, full, parked, short
from apps.risk.sessions import session_at
from apps.risk.state import RiskState
from banyan.columns import Ints, ints
from banyan.messages import Message, Received

TIME_MAX = 2**62
_IMPOSSIBLE = (-1, 0, 0, 0, 0, 0, 0, 0)


def decide_requested(state: RiskState, received: Received, wanted: OrdersRequested) -> list[Message]:
    """Approve or refuse each order, in the order given, against limits as they stand."""
    count = wanted.account.size
    if not count:
        return []
    quotes = _quotes(state, received, wanted)
    asked = _asked(state, wanted, count)
    verdicts = np.zeros((4, count), np.int64)
    check_orders(
        state.book(),
        asked,
        quotes,
        np.array([received.event_time_ns, state.trading_state], np.int64),
        np.full(state.accounts.count, -1, np.int64),
        np.zeros(count, ACCOUNT_NOW_DTYPE),
        np.zeros(count, CELL_NOW_DTYPE),
        verdicts,
    )
    return _verdicts(state, received, wanted, asked, quotes, verdicts)


def _asked(state: RiskState, wanted: OrdersRequested, count: int) -> Asked:
    instrument = full(wanted.instrument, count)
    unlisted = (instrument < 0) | (instrument >= len(wanted.terms))
    return Asked(
        account=state.rows_of(wanted.account),
        instrument=np.where(unlisted, len(wanted.terms), instrument) if unlisted.any() else instrument,
        decision=full(wanted.decision, count),
        steps=full(wanted.steps, count),
        step_value=full(wanted.step_value_micro, count),
        order_type=full(wanted.order_type, count),
        limit_ticks=full(wanted.limit_ticks, count),
        stop_ticks=full(wanted.stop_ticks, count),
        reduce_only=full(wanted.reduce_only, count),
        of_short=_of_short(state, wanted, count),
        set_state=_set_states(state, wanted, count),
    )


def _of_short(state: RiskState, wanted: OrdersRequested, count: int) -> Ints:
    """Return which orders are of what their accounts hold short: sales that open, and purchases that close."""
    if not state.accounts.columns["hedging"].any():
        return np.zeros(count, np.int64)
    rows = state.rows_of(wanted.account)
    hedging = (rows >= 0) & (state.accounts.columns["hedging"][rows] != 0)
    closes = full(wanted.reduce_only, count) != 0
    return (hedging & ((full(wanted.steps, count) < 0) != closes)).astype(np.int64)


def _set_states(state: RiskState, wanted: OrdersRequested, count: int) -> Ints:
    """Return the trading state of each order's set: the strictest where several books have a share in it."""
    states = np.full(count, state.set_states.get(wanted.set, 0), np.int64)
    if wanted.share_order.size:
        of_book = np.array([state.set_states.get(book, 0) for book in wanted.books], np.int64)
        shares = full(wanted.share_book, wanted.share_order.size)
        states[wanted.share_order] = 0
        np.maximum.at(states, wanted.share_order, of_book[shares])
    return states


def _quotes(state: RiskState, received: Received, wanted: OrdersRequested) -> Any:
    """Return QUOTE_DTYPE rows for the instruments of a request, and one that is impossible for those not among them."""
    count = len(wanted.terms)
    bids, asks = full(wanted.bid_ticks, count), full(wanted.ask_ticks, count)
    quoted = zip(bids.tolist(), asks.tolist(), _quoted_at(wanted), strict=True)
    rows = [_quote(state, received, terms, quote) for terms, quote in zip(wanted.terms, quoted, strict=True)]
    return np.array([*rows, _IMPOSSIBLE], QUOTE_DTYPE)


def _quoted_at(wanted: OrdersRequested) -> list[int]:
    """Return of when each instrument's quote is: of the decision, or from before it."""
    if not wanted.quoted_at_ns.size:
        return [wanted.decided_at_ns] * len(wanted.terms)
    times: list[int] = np.minimum(full(wanted.quoted_at_ns, len(wanted.terms)), wanted.decided_at_ns).tolist()
    return times


def _quote(
    state: RiskState, received: Received, terms: InstrumentTerms, quoted: tuple[int, int, int]
) -> tuple[int, ...]:
    """Return the fields of QUOTE_DTYPE: the quote that came, or the one that is known where that is newer.

    How old it is counts from the one that came: it is what the order was decided on.
    """
    row = state.instrument_names.known(terms.id)
    *prices, quoted_at_ns = quoted
    if not is_possible(terms, *prices):
        return (row, *_IMPOSSIBLE[1:])
    bid, ask = 0, 0
    known = state.instruments.columns[row] if row >= 0 else None
    if all(prices) and (known is None or quoted_at_ns >= known["quoted_at"]):
        bid, ask = prices
    elif known is not None:
        bid, ask = int(known["bid_ticks"]), int(known["ask_ticks"])
    age_ns = min(received.received_at_ns - quoted_at_ns, TIME_MAX)
    return (row, bid, ask, terms.margin_e9, 1, age_ns, *session_at(state, terms.id, received.event_time_ns))


def is_possible(terms: InstrumentTerms, bid_ticks: int, ask_ticks: int) -> bool:
    """Return whether an instrument can have these terms and this quote; 0 stands for no price."""
    return 0 <= terms.margin_e9 <= RATE_E9_MAX and 0 <= bid_ticks <= STEPS_MAX and 0 <= ask_ticks <= STEPS_MAX


def _verdicts(
    state: RiskState, received: Received, wanted: OrdersRequested, asked: Asked, quotes: Any, verdicts: Any
) -> list[Message]:
    names = [terms.id for terms in wanted.terms]
    possible = np.flatnonzero(quotes["possible"])
    events: list[Message] = [
        QuotesNoted(
            decided_at_ns=wanted.decided_at_ns,
            instruments=[names[at] for at in possible],
            bid_ticks=full(wanted.bid_ticks, len(names))[possible],
            ask_ticks=full(wanted.ask_ticks, len(names))[possible],
            margin_e9=short(np.ascontiguousarray(quotes["margin_e9"][possible])),
            quoted_at_ns=ints(_quoted_at(wanted))[possible] if wanted.quoted_at_ns.size else NO_COLUMN,
        )
    ]
    reason = verdicts[0]
    approved = np.flatnonzero(reason == reasons.NONE)
    if approved.size:
        events.append(_approval(received, names, wanted, asked, approved))
    refused = np.flatnonzero((reason != reasons.NONE) & (asked.instrument < len(names)))
    if refused.size:
        events.append(
            OrdersRefused(
                instruments=names,
                account=wanted.account[refused],
                instrument=short(asked.instrument[refused]),
                decision=asked.decision[refused],
                reason=reason[refused],
                level=short(verdicts[1, refused]),
                bound=short(verdicts[2, refused]),
                actual=short(verdicts[3, refused]),
            )
        )
    impossible = np.flatnonzero(reason == reasons.IMPOSSIBLE)
    if impossible.size:
        events += parked(state, "an order with impossible numbers", impossible, wanted.account[impossible])
    return events


def _approval(
    received: Received, names: list[str], wanted: OrdersRequested, asked: Asked, approved: Ints
) -> OrdersApproved:
    if approved.size == wanted.account.size:
        account, instrument, decision = wanted.account, wanted.instrument, asked.decision
        steps, values = asked.steps, asked.step_value
    else:
        account, instrument, decision = wanted.account[approved], asked.instrument[approved], asked.decision[approved]
        steps, values = asked.steps[approved], asked.step_value[approved]
    if (values == values[0]).all():  # as it nearly always is: no need to sort them
        different, index = values[:1], NO_COLUMN
    else:
        different, index = np.unique(values, return_inverse=True)
    return OrdersApproved(
        instruments=names,
        account=account,
        instrument=short(instrument),
        decision=decision,
        steps=steps,
        at_ns=received.event_time_ns,
        step_values_micro=different,
        step_value=short(index.astype(np.int64)),
        of_short=short(asked.of_short[approved]),
    )


def decide_cut(state: RiskState, cause: OrdersFilled | OrdersEnded) -> Sequence[Message]:
    """Give back what orders do not need any more: filled, or never to be."""
    count = cause.account.size
    if not count:
        return []
    left = full(cause.left_steps, count) if isinstance(cause, OrdersFilled) else np.zeros(count, np.int64)
    decision = full(cause.decision, count)
    cells = state.cells_named(cause.instruments, cause.account, cause.instrument)
    found = np.zeros(count, np.int64)
    find_cuts(state.book(), cells, decision, left, found)
    events: list[Message] = []
    cuts = np.flatnonzero(found == 1)
    if cuts.size:
        events.append(
            ReservationsCut(
                instruments=cause.instruments,
                account=cause.account[cuts],
                instrument=chosen_rows(cause.instrument, cuts),
                decision=decision[cuts],
                left_steps=short(left[cuts]),
            )
        )
    impossible = np.flatnonzero(found == -1)
    if impossible.size:
        events += parked(state, "an order with more filled than was asked for", impossible, cause.account[impossible])
    return events


def note_quotes(state: RiskState, event: QuotesNoted) -> None:
    """Keep the newest quote of each instrument, and the margin that it needs."""
    margins = full(event.margin_e9, len(event.instruments))
    times = event.quoted_at_ns.tolist() or [event.decided_at_ns] * len(event.instruments)
    for at, name in enumerate(event.instruments):
        row = state.instrument(name)
        known = state.instruments.rows[row]
        if known.margin_e9 != margins[at]:
            known.margin_e9 = margins[at]
            renew_cells(state.book(), np.flatnonzero(state.cells.rows["instrument"] == row))
        if times[at] >= known.quoted_at and event.bid_ticks[at] and event.ask_ticks[at]:
            known.bid_ticks, known.ask_ticks = event.bid_ticks[at], event.ask_ticks[at]
            known.quoted_at = times[at]


def reserve_approved(state: RiskState, event: OrdersApproved) -> None:
    """Reserve for orders that were approved."""
    count = event.account.size
    cells = state.make_cells(event.instruments, event.account, event.instrument)
    beside = state.short_beside(cells)
    of_side = np.where(full(event.of_short, count) != 0, beside, cells)
    state.reserve_orders(count)
    values = event.step_values_micro[full(event.step_value, count)]
    reserve(state.book(), of_side, event.decision, event.steps, values, event.at_ns)
    if (beside >= 0).any():
        pass_decisions(state.book(), cells, event.decision)
        pass_decisions(state.book(), beside, event.decision)


def pass_refused(state: RiskState, event: OrdersRefused) -> None:
    """Remember the numbers of orders that were refused, but of those that were impossible or of no open account."""
    counted = np.flatnonzero((event.reason != reasons.IMPOSSIBLE) & (event.reason != reasons.UNKNOWN_ACCOUNT))
    cells = state.make_cells(event.instruments, event.account[counted], chosen_rows(event.instrument, counted))
    pass_decisions(state.book(), cells, event.decision[counted])
    pass_decisions(state.book(), state.short_beside(cells), event.decision[counted])


def cut_reservations(state: RiskState, event: ReservationsCut) -> None:
    """Give back what is not needed any more."""
    count = event.account.size
    cells = state.cells_named(event.instruments, event.account, event.instrument)
    cut(state.book(), cells, event.decision, full(event.left_steps, count))
