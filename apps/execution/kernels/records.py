"""The records that a shard of accounts is made of. -1 as a row number means: none.

Steps are whole lot steps, signed; money is millionths of the account's currency.
"""

from typing import Any, NamedTuple

import numpy as np

ACCOUNT_DTYPE = np.dtype(
    [
        ("number", np.int64),
        ("currency", np.int64),  # row of the shard's currencies
        ("balance_micro", np.int64),
        ("leverage_e9", np.int64),
        ("fee_rate", np.float64),  # share of notional
        ("hedging", np.int64),
        ("via", np.int64),  # 1 + row of the currency over which is converted where no pair is known; 0: none
        ("ready", np.int64),  # 1: reconciled with its broker
        ("close_only", np.int64),  # 1: a row of it was parked
        ("flattened", np.int64),
        ("first_cell", np.int64),
        ("last_cell", np.int64),
    ],
    align=True,
)

CELL_DTYPE = np.dtype(
    [
        ("account", np.int64),  # row
        ("instrument", np.int64),  # row
        ("decision", np.int64),  # number of the last order
        ("first_line", np.int64),
        ("n_lines", np.int64),
        ("next_cell", np.int64),  # of the same account
        ("first_order", np.int64),
        ("frozen", np.int64),  # orders of which nobody knows whether they arrived
        ("flattened", np.int64),
        ("held", np.int64),  # all books, `external` among them
        ("short", np.int64),  # of a hedging account: what of it is held short, 0 or less
        ("buying", np.int64),  # steps of purchases at market that are requested, sent or unknown
        ("selling", np.int64),  # and of sales: 0 or less
    ],
    align=True,
)
"""A cell is an account's holding in one instrument; its lines are the books that have a part of it."""

LINE_DTYPE = np.dtype(
    [
        ("cell", np.int64),
        ("account", np.int64),
        ("instrument", np.int64),  # what is traded,
        ("source", np.int64),  # and whose target is followed: another instrument where a symbol is mapped
        ("book", np.int64),
        ("next_line", np.int64),  # of the same cell
        ("held", np.int64),
        ("working", np.int64),  # what the book wants to hold
        ("open", np.int64),  # its share of orders that are requested or sent
        ("unknown", np.int64),  # its share of orders of which nobody knows whether they arrived
        ("seen_version", np.int64),
        ("unfilled", np.int64),  # 1: an order of this version ended unfilled, so the version is done
        ("cash_micro", np.int64),  # all that its fills brought, fees taken off
        ("cost_micro", np.int64),  # paid for what it holds
        ("fees_micro", np.int64),
        ("entry_price", np.float64),  # average, of what it holds
        ("returns", np.int64),  # the line that counts the closed trades of its book in all the account's cells:
        ("closes", np.int64),  # how many fills have closed something, with the sum and
        ("return_sum", np.float64),
        ("return_squares", np.float64),  # the sum of squares of their returns
        # the settings that hold for it, and at which level each was given
        ("active", np.int64),
        ("waits", np.int64),  # 1: it has joined and waits for the next version
        ("allocation", np.float64),  # share of the account's equity
        ("rule", np.int64),  # of trading.sizing
        ("number", np.float64),
        ("channels", np.int64),
        ("multiplier", np.float64),
        ("lots_max", np.float64),  # 0: none
        ("round_up", np.int64),
        ("reverse", np.int64),
        ("close_only", np.int64),
        ("allowed", np.int64),
        ("min_level", np.int64),
        ("close_level", np.int64),
        ("allowed_level", np.int64),
    ],
    align=True,
)

ORDER_DTYPE = np.dtype(
    [
        ("cell", np.int64),  # -1: a free row, `next_order` is the next free one
        ("decision", np.int64),
        ("state", np.int64),
        ("steps", np.int64),
        ("filled", np.int64),
        ("first_share", np.int64),
        ("n_shares", np.int64),
        ("next_order", np.int64),  # of the same cell
        ("reduce_only", np.int64),
        ("resting", np.int64),  # 1: it may stand there for long, so nothing else waits for it
    ],
    align=True,
)

SHARE_DTYPE = np.dtype(
    [
        ("line", np.int64),  # -1: a free row, `next_share` is the next free one
        ("steps", np.int64),
        ("filled", np.int64),
        ("next_share", np.int64),  # of the same order
    ],
    align=True,
)

INSTRUMENT_DTYPE = np.dtype(
    [
        ("currency", np.int64),  # row of the shard's currencies; -1: its terms are not known
        ("tick_e9", np.int64),
        ("lot_step_e9", np.int64),
        ("lot_min_steps", np.int64),
        ("contract_e9", np.int64),
        ("margin_e9", np.int64),
        ("bid_ticks", np.int64),  # the last quote that was decided on, or price of a trade; 0: none
        ("ask_ticks", np.int64),
        ("quoted_at_ns", np.int64),  # of when that quote is; 0: nobody knows
    ],
    align=True,
)

TARGET_DTYPE = np.dtype(
    [
        ("book", np.int64),
        ("source", np.int64),  # instrument
        ("version", np.int64),
        ("mode", np.int64),
        ("value", np.float64),
        ("entry", np.int64),
        ("bracket", np.int64),  # 1: with a stop loss, take profit or trail
        ("price", np.float64),  # of a limit or stop entry
        ("limit_price", np.float64),
        ("stop_loss", np.float64),  # nan: none
        ("take_profit", np.float64),
        ("trail", np.float64),
        ("time_in_force", np.int64),
        ("expires", np.int64),
        ("bid", np.float64),  # the quote that decided, in price; 0: none
        ("ask", np.float64),
        ("band", np.float64),  # nan: never rebalanced
        ("volatility", np.float64),  # a year, as a share; nan or 0: not known
    ],
    align=True,
)

BOOK_MANUAL = 0
BOOK_EXTERNAL = 1
FIRST_SET = 2


class Shard(NamedTuple):
    """All rows of a shard. `free` is int64[4]: the first free row of orders and of shares, and how many there are.

    `rates` is float64[currencies, currencies]: what one unit of the first is worth in the second, 0 where nobody knows.
    """

    accounts: Any
    cells: Any
    lines: Any
    orders: Any
    shares: Any
    instruments: Any
    free: Any
    rates: Any
