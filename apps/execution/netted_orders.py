"""Messages of what netting came to: crosses, and orders to be checked."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from apps.execution.contracts import OrdersRequested
from apps.execution.kernels.netting import Netted, net_cells, room_for
from apps.execution.kernels.records import Shard
from apps.execution.kernels.values import step_values
from apps.execution.state import ShardState
from banyan.columns import Ints, ints
from banyan.messages import Message

NO_COLUMN = ints()


def net(
    state: ShardState, shard: Shard, working: Ints, touched: Ints, *, flattens: bool = False, reduces: bool = False
) -> Netted:
    """Return what the cells `touched` net to when their lines want `working`, which gets what is given up."""
    netted = room_for(touched.size, int(state.cells.columns["n_lines"][touched].sum()))
    net_cells(shard, working, touched, flattens, reduces, netted)
    return netted


def column(values: Ints) -> Ints:
    """Return a column as a message carries it: nothing where it is all zeros."""
    return values if np.count_nonzero(values) else NO_COLUMN  # a fifth of what `any` takes


def indexed(rows: Ints) -> tuple[list[int], Ints]:
    """Return the instruments that occur in `rows`, and the column of indexes into them."""
    if rows.size and (rows == rows[0]).all():
        return [int(rows[0])], np.zeros(rows.size, np.int64)
    found, index = np.unique(rows, return_inverse=True)
    return found.tolist(), index.astype(np.int64)


def each_once(rows: Ints) -> Ints:
    """Return rows in rising order, each once."""
    return rows if (rows[1:] > rows[:-1]).all() else np.unique(rows)


def requests(
    state: ShardState,
    shard: Shard,
    netted: Netted,
    decided_at_ns: int,
    *,
    set_name: str = "",
    reduce_only: bool = False,
) -> Iterator[Message]:
    """Yield the orders that came out, under `set_name`; without one under the set of each order's first book."""
    count = netted.counts[0]
    if not count:
        return
    shares = netted.counts[1]
    first_share = np.searchsorted(netted.share_order[:shares], np.arange(count))
    books = state.lines.columns["book"][netted.share_line[:shares]]
    if set_name:
        yield _request(state, shard, netted, np.arange(count), (set_name, decided_at_ns, reduce_only))
        return
    for book in np.unique(books[first_share]):
        chosen = np.flatnonzero(books[first_share] == book)
        yield _request(state, shard, netted, chosen, (state.books.names[book], decided_at_ns, reduce_only))


def _request(
    state: ShardState, shard: Shard, netted: Netted, chosen: Ints, of: tuple[str, int, bool]
) -> OrdersRequested:  # fmt: skip
    set_name, decided_at_ns, reduce_only = of
    columns, cells = state.cells.columns, netted.order_cell[chosen]
    found, instrument = indexed(columns["instrument"][cells])
    if len(found) > 1:  # sells before buys
        order = np.argsort(netted.order_steps[chosen] > 0, kind="stable")
        chosen, cells, instrument = chosen[order], cells[order], instrument[order]
    steps = netted.order_steps[chosen]
    traded = shard.instruments[found]
    books, share_order, share_book, share_steps = _listed_shares(state, netted, chosen, set_name)
    return OrdersRequested(
        set=set_name,
        decided_at_ns=decided_at_ns,
        terms=[state.terms_of(each) for each in found],
        bid_ticks=np.array(traded["bid_ticks"]),
        ask_ticks=np.array(traded["ask_ticks"]),
        account=state.accounts.columns["number"][columns["account"][cells]],
        instrument=column(instrument),
        decision=columns["decision"][cells] + 1,
        steps=steps,
        step_value_micro=step_values(shard, columns["instrument"][cells], columns["account"][cells]),
        reduce_only=np.ones(chosen.size, np.int64) if reduce_only else NO_COLUMN,
        books=books,
        share_order=share_order,
        share_book=share_book,
        share_steps=share_steps,
        quoted_at_ns=quoted_before(traded, decided_at_ns),
    )


def quoted_before(traded: Any, decided_at_ns: int) -> Ints:
    """Return of when the quotes of INSTRUMENT_DTYPE rows are, nothing where none is known to be older than a decision.

    An order that had to wait is decided on by the last price there is.
    """
    times: Ints = np.array(traded["quoted_at_ns"])
    times[(times == 0) | (times > decided_at_ns)] = decided_at_ns
    return times if times.min() < decided_at_ns else NO_COLUMN


def _listed_shares(
    state: ShardState, netted: Netted, chosen: Ints, set_name: str
) -> tuple[list[str], Ints, Ints, Ints]:
    """Return the shares of those orders of `chosen` that are not wholly of the book `set_name`."""
    shares = netted.counts[1]
    order, line = netted.share_order[:shares], netted.share_line[:shares]
    book = state.lines.columns["book"][line]
    others = np.zeros(netted.counts[0], bool)
    others[order[book != state.books.known(set_name)]] = True
    if not others[chosen].any():
        return [], NO_COLUMN, NO_COLUMN, NO_COLUMN
    row_of_order = np.full(netted.counts[0], -1, np.int64)
    row_of_order[chosen] = np.arange(chosen.size)
    listed = np.flatnonzero(others[order] & (row_of_order[order] >= 0))
    listed = listed[np.argsort(row_of_order[order[listed]], kind="stable")]
    found, index = np.unique(book[listed], return_inverse=True)
    return (
        [state.books.names[each] for each in found],
        row_of_order[order[listed]],
        index.astype(np.int64),
        netted.share_steps[listed].copy(),
    )
