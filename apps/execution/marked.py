"""What follows from prices at which nothing was traded: accounts are worth something else, and risk has to know."""

from collections.abc import Sequence

import numpy as np

from apps.execution.book_contracts import MarkPrices, PricesMarked
from apps.execution.evolving import evolve, full
from apps.execution.netted_orders import column
from apps.execution.state import ShardState
from apps.execution.valued import no_changes, value_of
from banyan.columns import Ints, ints
from banyan.messages import Message, Received


def mark_prices(state: ShardState, received: Received, command: MarkPrices) -> Sequence[Message]:
    """Know new closing quotes, and value the accounts that hold anything where a price is another than before.

    Nothing follows from a quote that is older than the one that is known. One whose time nobody knows (0) counts.
    """
    rows = ints([state.instruments.known(name) for name in command.instruments])
    bid, ask = command.bid_ticks, command.ask_ticks
    at_ns = full(command.quoted_at_ns, bid)
    new = (rows >= 0) & (bid > 0) & (ask >= bid)
    known = state.instrument_rows.columns[rows[new]]
    moved = new.copy()
    moved[new] = (known["bid_ticks"] != bid[new]) | (known["ask_ticks"] != ask[new])
    told_ns, known_ns = at_ns[new], known["quoted_at_ns"]
    new[new] = (told_ns > known_ns) | (moved[new] & ((told_ns == known_ns) | (told_ns == 0)))
    if not new.any():
        return []
    chosen = np.flatnonzero(new)
    marked = PricesMarked(
        instruments=[command.instruments[at] for at in chosen.tolist()],
        bid_ticks=bid[chosen],
        ask_ticks=ask[chosen],
        quoted_at_ns=column(at_ns[chosen]),
    )
    holding = _holding(state)
    if not (moved & new).any() or not holding.size:
        return [marked]
    after = evolve(state.copy(), marked)
    shard = after.shard()
    return [marked, value_of(after, shard, received.event_time_ns, holding, no_changes(shard))]


def _holding(state: ShardState) -> Ints:
    """Return the accounts (rows) that hold anything."""
    cells = state.cells.columns
    return np.unique(cells["account"][(cells["held"] != 0) | (cells["short"] != 0)])
