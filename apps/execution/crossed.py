"""What books of an account cross between themselves: lots that change hands at the middle, and no broker is asked."""

from collections.abc import Iterator

import numpy as np

from apps.execution.book_contracts import Booking, LotsBooked
from apps.execution.kernels.booking import pay_for_lots
from apps.execution.kernels.netting import Netted
from apps.execution.kernels.records import Shard
from apps.execution.netted_orders import column, each_once, indexed
from apps.execution.state import ShardState
from apps.execution.valued import Changes, no_changes, value_of
from banyan.messages import Message


def crosses(
    state: ShardState, shard: Shard, netted: Netted, at_ns: int, before: Changes | None = None
) -> Iterator[Message]:
    """Yield what was crossed between books, if anything, and what its accounts are worth with what that realised.

    `before` is what was crossed in other cells and is not booked yet; this is added to it.
    """
    count = netted.counts[2]
    if not count:
        return
    crossed, steps, amounts = netted.cross_line[:count], netted.cross_steps[:count], netted.cross_amount[:count]
    all_lines = state.lines.columns
    lines = all_lines[crossed]
    found, instrument = indexed(lines["instrument"])
    books, book = np.unique(lines["book"], return_inverse=True)
    quotes = shard.instruments[found]
    middles = (quotes["bid_ticks"] + quotes["ask_ticks"]) * quotes["tick_e9"] // 2
    yield LotsBooked(
        kind=Booking.CROSSED,
        books=[state.books.names[each] for each in books],
        instruments=[state.instruments.names[each] for each in found],
        account=state.accounts.columns["number"][lines["account"]],
        instrument=column(instrument),
        book=column(book.astype(np.int64)),
        steps=steps.copy(),
        price_e9=middles[instrument],
        amount_micro=amounts.copy(),
    )
    changes = no_changes(shard) if before is None else before
    held, cost = all_lines["held"].copy(), all_lines["cost_micro"].copy()
    pay_for_lots(shard, crossed, steps, amounts, held, cost, changes.paid)
    yield value_of(state, shard, at_ns, each_once(lines["account"]), changes)
