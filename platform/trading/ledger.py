"""The records that trading leaves behind: fills and round trips."""

import numpy as np

# Why a fill happened.
TARGET = 0  # the target's market entry, or its rebalance
ENTRY_LIMIT = 1
ENTRY_STOP = 2
STOP_LOSS = 3
TAKE_PROFIT = 4
TRAIL = 5
MARGIN_CALL = 6

REASONS = ("target", "limit", "stop", "stop-loss", "take-profit", "trail", "margin-call")

FILL_DTYPE = np.dtype(
    [
        ("bar", np.int64),  # row of the run's time axis
        ("time", np.int64),  # ns UTC: the bar's open for fills at the open, its close otherwise
        ("channel", np.int64),
        ("quantity", np.float64),  # lots, signed: bought > 0
        ("price", np.float64),  # what was paid, slippage and spread included
        ("fee", np.float64),  # account currency, >= 0
        ("slippage", np.float64),  # cost against the untouched quote, account currency, >= 0
        ("position", np.float64),  # lots held after the fill, signed
        ("cash", np.float64),  # account cash after the fill
        ("swap", np.float64),  # paid on this channel since the start of the run, account currency
        ("reason", np.int64),  # index into REASONS
    ],
    align=True,
)

TRADE_DTYPE = np.dtype(
    [
        ("channel", np.int64),
        ("quantity", np.float64),  # lots, largest held, signed: long > 0
        ("entry_bar", np.int64),
        ("exit_bar", np.int64),  # of the last exit fill; the last bar while it is open
        ("entry_time", np.int64),  # ns UTC
        ("exit_time", np.int64),
        ("entry_price", np.float64),  # average over all entries
        ("exit_price", np.float64),  # average over all exits; the last close while it is open
        ("pnl", np.float64),  # account currency, net of fees and swap
        ("fees", np.float64),
        ("return", np.float64),  # pnl / (entry price x quantity entered, in account currency)
        ("exit_reason", np.int64),  # index into REASONS
        ("is_open", np.int64),  # 1: still open at the end of the run, marked at the last close
    ],
    align=True,
)
