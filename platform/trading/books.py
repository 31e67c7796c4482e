"""An account's books: cash, what each channel holds, the order that works for it, and the one way a fill is booked."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading.compiled import inlined_kernel, inner_kernel
from trading.costs import Costs, fee_of
from trading.ledger import FILL_DTYPE
from trading.money import LARGEST, add_amounts, on_step, whole_amount

TICKETS = 32  # positions a channel can hold at once on a hedging account; on a netting account there is one

ACCOUNT_DTYPE = np.dtype(
    [
        ("cash", np.float64),
        ("equity", np.float64),  # what orders are sized on; nan: each on cash and its own position
        ("margin", np.float64),  # held by all positions when `equity` was taken
        ("fees", np.float64),
        ("swap", np.float64),  # paid so far; negative if received
        ("closes", np.int64),  # closing fills so far, with the sum and the sum of squares of their returns
        ("return_sum", np.float64),
        ("return_squares", np.float64),
        ("n_fills", np.int64),
        ("n_reduced", np.int64),  # orders cut to what the margin allowed
        ("n_unsized", np.int64),  # targets that the sizing rule could not size
        ("n_margin_calls", np.int64),
        ("n_expired", np.int64),
        ("n_merged", np.int64),  # entries put into the last ticket because none was free
        ("n_inexact", np.int64),  # fills after which the cash was too large to be held to the millionth
        ("ruined", np.int64),
        ("refused", np.int64),  # 1 + the channel whose target cannot be; after it none is accepted
        ("refused_bar", np.int64),
    ],
    align=True,
)

BOOK_DTYPE = np.dtype(
    [
        ("quantity", np.float64),  # lots over all tickets, signed
        # the last target, as the strategy gave it
        ("seen_value", np.float64),
        ("seen_mode", np.int64),
        ("seen_entry", np.int64),
        ("seen_price", np.float64),
        ("seen_limit_price", np.float64),
        ("seen_stop_loss", np.float64),
        ("seen_take_profit", np.float64),
        ("seen_trail", np.float64),
        ("seen_time_in_force", np.int64),
        ("seen_expires", np.int64),
        ("seen_version", np.int64),
        # the working order
        ("working", np.int64),  # 1: there is one
        ("kind", np.int64),  # trading.targets: MARKET, LIMIT, STOP, STOP_LIMIT
        ("side", np.int64),  # 1 buys, -1 sells, 0 is found at the fill
        ("value", np.float64),
        ("mode", np.int64),
        ("goal", np.float64),  # lots to hold when it is filled; nan until it has been sized
        ("price", np.float64),
        ("limit_price", np.float64),
        ("stop_loss", np.float64),
        ("take_profit", np.float64),
        ("trail", np.float64),
        ("time_in_force", np.int64),
        ("expires", np.int64),
        ("day", np.int64),  # session day of its first bar; -1 before
        ("since", np.int64),  # ns UTC: bars that opened before do not fill it
        ("triggered", np.int64),  # a stop or stop-limit order whose stop was touched
        ("attached", np.int64),  # 1: the version's bracket is on its ticket
        ("slot", np.int64),  # the ticket that the version opened on a hedging account; -1: none
        # what is held
        ("weight", np.float64),  # share of equity that the position was sized to; nan: not rebalanced
        ("used_bar", np.int64),
        ("used_lots", np.float64),  # filled in `used_bar`, against the volume cap
        ("swap", np.float64),  # paid so far
        ("live", np.int64),  # 1: an order works, or a ticket has a protective order
    ],
    align=True,
)

TICKET_DTYPE = np.dtype(
    [
        ("quantity", np.float64),
        ("price", np.float64),  # average entry
        ("stop_loss", np.float64),
        ("take_profit", np.float64),
        ("trail", np.float64),  # distance
        ("trail_stop", np.float64),  # where the trailing stop stands; nan before it was set
        ("closing", np.int64),  # reason + 1 of a protective order of which a part is still to be filled
        ("number", np.int64),  # rises with age: first in, first out
    ],
    align=True,
)


class Desk(NamedTuple):
    """Everything about an account that trading changes.

    `account` is one record, `books` and `tickets` have a row per channel, `fills` is a buffer that is written from
    `account.n_fills` on. What it has no room for is counted and not written: the caller runs again with room for all.
    """

    account: Any  # ACCOUNT_DTYPE[1]
    books: Any  # BOOK_DTYPE[n_channels]
    tickets: Any  # TICKET_DTYPE[n_channels, slots]
    fills: Any  # FILL_DTYPE[capacity]


class Spec(NamedTuple):
    """One channel's instrument as numbers."""

    tick_size: float
    lot_step: float
    lot_min: float
    contract_size: float
    margin_rate: float  # of notional, leverage included
    exact: int  # 1: money is whole millionths


class At(NamedTuple):
    """Where and when a fill happens."""

    channel: int
    bar: int
    time: int  # ns UTC
    conversion: float  # account currency per unit of quote currency


def open_desk(cash: float, channels: int, slots: int, capacity: int) -> Desk:
    """Return the desk of an account that holds `cash` and nothing else."""
    account, books, tickets = (rows.copy() for rows in _untouched(channels, slots))
    account["cash"] = cash
    fills: NDArray[Any] = np.empty(capacity, FILL_DTYPE)
    return Desk(*(array.view(np.recarray) for array in (account, books, tickets, fills)))


@lru_cache(maxsize=4)
def _untouched(channels: int, slots: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    account: NDArray[Any] = np.zeros(1, ACCOUNT_DTYPE)
    account["equity"] = np.nan
    books: NDArray[Any] = np.zeros(channels, BOOK_DTYPE)
    for name in BOOK_DTYPE.names or ():
        if name.startswith("seen_") and BOOK_DTYPE[name].kind == "f":
            books[name] = np.nan
    books["weight"] = np.nan
    books["used_bar"] = -1
    books["slot"] = -1
    tickets: NDArray[Any] = np.zeros((channels, slots), TICKET_DTYPE)
    for name in ("stop_loss", "take_profit", "trail", "trail_stop"):
        tickets[name] = np.nan
    return account, books, tickets


@inlined_kernel
def book_fill(
    desk: Desk, at: At, spec: Spec, costs: Costs, slot: int, lots: float, prices: tuple[float, float], reason: int
) -> None:
    """Book a fill of `lots` (signed, not 0) on ticket `slot`; `prices` are (paid, the quote it was taken from)."""
    account = desk.account[0]
    book = desk.books[at.channel]
    ticket = desk.tickets[at.channel, slot]
    price, quote = prices
    per_price = spec.contract_size * at.conversion
    amount = lots * (price * per_price)
    fee = fee_of(costs, abs(amount), abs(lots), spec.contract_size)
    if spec.exact:
        fee = whole_amount(fee)
        account.cash = add_amounts(add_amounts(account.cash, whole_amount(-amount)), -fee)
        account.fees = add_amounts(account.fees, fee)
        account.n_inexact += int(abs(account.cash) > LARGEST)
    else:
        account.cash = account.cash - amount - fee
        account.fees += fee
    before = ticket.quantity
    after = before + lots
    if before * lots < 0.0:
        count_close(account, ticket.price, before, min(abs(lots), abs(before)) * per_price, price, fee)
    if before * lots >= 0.0:
        ticket.price = (ticket.price * before + price * lots) / after
    elif before * after < 0.0:
        ticket.price = price
    ticket.quantity = on_step(after, spec.lot_step)
    book.quantity = _held(desk, at.channel, spec.lot_step)
    if book.used_bar != at.bar:
        book.used_bar = at.bar
        book.used_lots = 0.0
    book.used_lots += abs(lots)
    account.n_fills += 1
    if account.n_fills > desk.fills.size:
        return
    row = desk.fills[account.n_fills - 1]
    row.bar = at.bar
    row.time = at.time
    row.channel = at.channel
    row.quantity = lots
    row.price = price
    row.fee = fee
    row.slippage = abs(lots * (price - quote) * per_price)
    row.position = book.quantity
    row.cash = account.cash
    row.swap = book.swap
    row.reason = reason


@inner_kernel
def _held(desk: Desk, channel: int, lot_step: float) -> float:
    """Return the lots in all tickets, added up anew so that no rounding error is left when all are closed."""
    tickets = desk.tickets[channel]
    if tickets.size == 1:
        return float(tickets[0].quantity)
    total = 0.0
    for slot in range(tickets.size):
        total += tickets[slot].quantity
    return on_step(total, lot_step)


@inner_kernel
def kelly_share(closed: Any) -> float:
    """Return mean / mean square of the returns of all closing fills so far, in 0..1; 1 before the twentieth.

    The growth-optimal share for returns with that mean and variance (Thorp 2006, equation 7.3, small returns). It only
    limits: an account that begins with none could never close the trades that it is to be found from. `closed` has
    `closes`, `return_sum` and `return_squares`.
    """
    if closed.closes < 20 or closed.return_squares <= 0.0:
        return 1.0
    return min(1.0, max(0.0, closed.return_sum / closed.return_squares))


@inner_kernel
def count_close(closed: Any, entry_price: float, quantity: float, per_price: float, price: float, fee: float) -> None:
    """Count the return of closing a position of `quantity` (signed) that was entered at a price.

    `per_price` is account currency per unit of price of what is closed.
    """
    entered = entry_price * per_price
    gain = np.sign(quantity) * (price - entry_price) * per_price - fee
    closed.closes += 1
    closed.return_sum += gain / entered
    closed.return_squares += (gain / entered) * (gain / entered)


@inner_kernel
def charge_swap(desk: Desk, at: At, spec: Spec, price: float, rates: tuple[float, float], days: int) -> None:
    """Charge `days` of swap on what the channel holds, at `price`; `rates` are (long, short) a day on notional."""
    account = desk.account[0]
    held = desk.books[at.channel].quantity
    if held == 0.0:
        return
    rate = rates[0] if held > 0.0 else rates[1]
    paid = abs(held) * price * spec.contract_size * at.conversion * rate * days
    if spec.exact:
        paid = whole_amount(paid)
        account.cash = add_amounts(account.cash, -paid)
        account.swap = add_amounts(account.swap, paid)
        desk.books[at.channel].swap = add_amounts(desk.books[at.channel].swap, paid)
    else:
        account.cash -= paid
        account.swap += paid
        desk.books[at.channel].swap += paid
