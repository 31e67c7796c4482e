"""The records that a shard's risk is made of. -1 as a row number means: none.

Steps are whole lot steps, signed (bought > 0); money is millionths of the account's currency, e9 billionths.
"""

from typing import Any, NamedTuple

import numpy as np

AMOUNT_MAX = 2**58
"""No amount of money is larger: sums of three, and their products with billionths, stay exact."""

STEPS_MAX = 2**53
RATE_E9_MAX = 10**9
"""Margin is at most all of the notional."""

_RESERVED = [
    ("reserved_gross", np.int64),  # by how much open orders may raise gross exposure,
    ("reserved_long", np.int64),  # the net exposure of all that buy,
    ("reserved_short", np.int64),  # of all that sell (0 or less),
    ("reserved_margin", np.int64),  # and the margin that is needed
]

ACCOUNT_DTYPE = np.dtype(
    [
        ("number", np.int64),
        ("opened", np.int64),
        ("state", np.int64),  # TradingState that people have set
        ("stops", np.int64),  # bits of the losses that have stopped it
        ("zone", np.int64),
        ("margin_e9", np.int64),  # of notional: what its leverage asks for
        ("limits", np.int64),  # row
        ("listed", np.int64),  # 1: may trade only the instruments of its list
        ("hedging", np.int64),  # 1: what it holds long and what it holds short are two cells
        ("balance", np.int64),
        ("equity", np.int64),
        ("margin", np.int64),
        ("gross", np.int64),
        ("net", np.int64),
        *_RESERVED,
    ],
    align=True,
)

_EXPOSED = [
    ("position", np.int64),
    ("long", np.int64),  # steps that open orders may buy,
    ("short", np.int64),  # and sell: 0 or less
    ("step_value", np.int64),  # of notional, when it was last asked for
    ("decision", np.int64),  # number of the last order that was judged
    *_RESERVED,  # its part of what the account has reserved
]

CELL_DTYPE = np.dtype(
    [
        ("account", np.int64),
        ("instrument", np.int64),
        ("limits", np.int64),
        ("first_order", np.int64),
        ("beside", np.int64),  # row of the cell for what a hedging account holds short; 0: none, or it is that one
        *_EXPOSED,
    ],
    align=True,
)
"""A cell is an account's position and open orders in one instrument, on a hedging account those of one side."""

INSTRUMENT_DTYPE = np.dtype(
    [
        ("state", np.int64),
        ("limits", np.int64),
        ("bid_ticks", np.int64),
        ("ask_ticks", np.int64),
        ("quoted_at", np.int64),
        ("margin_e9", np.int64),
    ],
    align=True,
)

ORDER_DTYPE = np.dtype(
    [("cell", np.int64), ("decision", np.int64), ("left", np.int64), ("next_order", np.int64)], align=True
)
"""An order that may still be filled; a free row has cell -1 and the next free row as `next_order`."""

QUOTE_DTYPE = np.dtype(
    [
        ("instrument", np.int64),  # row
        ("bid_ticks", np.int64),  # the last that is known; 0: none
        ("ask_ticks", np.int64),
        ("margin_e9", np.int64),
        ("possible", np.int64),  # 0: its terms cannot be
        ("age_ns", np.int64),  # of the quote of the decision, or of the decision where that is older
        ("open", np.int64),  # 1: its session is
        ("minute", np.int64),  # of the week, in its session's zone
    ],
    align=True,
)
"""What a message says of an instrument, with what was known before."""

ACCOUNT_NOW_DTYPE = np.dtype([("sent", np.int64), ("first_cell", np.int64), *_RESERVED], align=True)
_PLACE = [("row", np.int64), ("instrument", np.int64), ("of_short", np.int64), ("next_cell", np.int64)]
CELL_NOW_DTYPE = np.dtype([*_PLACE, *_EXPOSED], align=True)
"""Accounts and cells as they are after the orders of a message that were judged so far."""

# Levels, trading states, reasons and order types: the numbers of the contracts.
GLOBAL, SET, ACCOUNT, INSTRUMENT, ACCOUNT_INSTRUMENT = range(5)
ACTIVE, REDUCING, HALTED = range(3)
LIMIT, STOP, STOP_LIMIT = 1, 2, 3

# Columns of the table of limits: the fields of `contracts.Limits`, in order.
POSITION, ORDER, NOTIONAL, COLLAR, PRICE_AGE, GROSS, NET, LEVERAGE, MARGIN, PER_SECOND, PER_MINUTE, LOSS = range(12)
LOSSES = 8
"""Losses are those of day, week, month and from the peak: for each of equity, then of balance."""
FLATTEN = LOSS + LOSSES
LIMIT_FIELDS = FLATTEN + 1

# Columns of the table of stops.
STOP_LEVEL, STOP_BOUND, STOP_ACTUAL, STOP_PERIOD = range(4)

BUCKETS = 11
"""Orders are counted in tenths of a window; eleven of them are sure to cover it whole."""
SECOND_BUCKET_NS, MINUTE_BUCKET_NS = 100_000_000, 6_000_000_000
SECOND_RATE, MINUTE_RATE = 0, BUCKETS + 1
RATE_FIELDS = 2 * (BUCKETS + 1)


class Book(NamedTuple):
    """All rows of a shard.

    `cell_rows` and `allowed` are [instrument, account]; `limits` int64[rows, LIMIT_FIELDS], row 0 the global ones;
    `rates` int64[accounts, RATE_FIELDS]: per window the newest bucket's number, then the counts; `references`
    int64[accounts, LOSSES], what losses are measured from; `turns` int64[accounts, 3], the day, week and month that
    those are of; `stops` int64[accounts, LOSSES, 4]; `free` int64[1], the first free row of `orders`.
    """

    accounts: Any
    cells: Any
    cell_rows: Any
    allowed: Any
    instruments: Any
    limits: Any
    rates: Any
    references: Any
    turns: Any
    stops: Any
    orders: Any
    free: Any


class Asked(NamedTuple):
    """Columns int64[n] of orders to judge; `account` is a row, `instrument` an index, `set_state` a TradingState.

    `of_short` is 1 for orders of hedging accounts that are of what is held short.
    """

    account: Any
    instrument: Any
    decision: Any
    steps: Any
    step_value: Any
    order_type: Any
    limit_ticks: Any
    stop_ticks: Any
    reduce_only: Any
    of_short: Any
    set_state: Any
