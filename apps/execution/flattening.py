"""The fold of flatten and resume: what books want while they are held at zero, and from then on."""

import numpy as np
from numpy.typing import NDArray

from apps.execution.apart_evolving import resting_by_hand
from apps.execution.kernels.records import BOOK_EXTERNAL, FIRST_SET
from apps.execution.state import ShardState
from banyan.columns import Ints

_NO_VERSION = -1  # of a line: its late fills are worked off, whatever it follows


def flatten_lines(state: ShardState, rows: Ints, instrument: str) -> None:
    """Let lines of accounts (rows) want nothing, all or those in one instrument, and their cells be held at zero."""
    cells, lines = state.cells.columns, state.lines.columns
    if instrument:
        chosen = np.isin(cells["account"], rows) & (cells["instrument"] == state.instruments.known(instrument))
        cells["flattened"][chosen] = 1
        closed = chosen[lines["cell"]] & (lines["book"] != BOOK_EXTERNAL)
    else:
        state.accounts.columns["flattened"][rows] = 1
        closed = np.isin(lines["account"], rows) & (lines["book"] != BOOK_EXTERNAL)
    lines["working"][closed] = 0
    state.apart.due.difference_update(np.flatnonzero(closed).tolist())
    for line, steps in resting_by_hand(state):
        if closed[line]:
            lines["working"][line] += steps  # until it has ended: nothing is ordered against it


def resume_lines(state: ShardState, rows: Ints, instrument: str) -> None:
    """Let lines want what they have; those of subscriptions that converge will take up their set's last target."""
    cells, lines, accounts = state.cells.rows, state.lines.rows, state.accounts.rows
    chosen = np.isin(cells["account"], rows)
    if instrument:
        chosen &= (cells["flattened"] != 0) & (cells["instrument"] == state.instruments.known(instrument))
    else:
        chosen &= (cells["flattened"] != 0) | (accounts["flattened"][cells["account"]] != 0)
        accounts["flattened"][rows] = 0
        accounts["close_only"][rows] = 0
    cells["flattened"][chosen] = 0
    _want_late_no_more(state, chosen)
    freed = lines[chosen[lines["cell"]] & (lines["book"] != BOOK_EXTERNAL)]
    lines["working"][chosen[lines["cell"]] & (lines["book"] != BOOK_EXTERNAL)] = (
        freed["held"] + freed["open"] + freed["unknown"]
    )
    for at in np.flatnonzero(chosen[lines["cell"]] & (lines["book"] >= FIRST_SET)).tolist():
        line = lines[at]
        target = state.target_of.get((int(line.book), int(line.source)))
        number = int(accounts[line.account].number)
        converges = state.subscriptions[number, state.books.names[line.book]].join == "converge"
        line.waits = not converges
        line.seen_version = 0 if converges or target is None else state.targets.rows[target].version


def _want_late_no_more(state: ShardState, cells: NDArray[np.bool_]) -> None:
    """Let no late fill of orders in cells that were held at zero be kept: whoever flattened them wanted it no more."""
    for order, shares in state.ended.items():
        if cells[order[0]]:
            state.ended[order] = tuple((line, left, _NO_VERSION) for line, left, _ in shares)
