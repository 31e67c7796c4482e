"""What accounts hold and are worth after changes of their books."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from apps.execution.contracts import AccountValued, PositionChanged
from apps.execution.kernels.records import Shard
from apps.execution.kernels.values import value_accounts
from apps.execution.netted_orders import column, each_once, indexed
from apps.execution.state import ShardState
from banyan.columns import Ints
from banyan.messages import Message


class Changes(NamedTuple):
    """What fills change that are not booked yet: steps by cell; cash, and what was paid, by account (micro units)."""

    steps: Ints
    cash: Ints
    paid: Ints


def no_changes(shard: Shard) -> Changes:
    """Return changes that are none, to be added to."""
    return Changes(*(np.zeros(each.size, np.int64) for each in (shard.cells, shard.accounts, shard.accounts)))


def values_of(
    state: ShardState, shard: Shard, valued_at_ns: int, cells: Ints, changes: Changes
) -> Iterator[Message]:  # fmt: skip
    """Yield positions in `cells` and the values of their accounts, after changes that are not booked yet."""
    if not cells.size:
        return
    cells = each_once(cells)
    columns = state.cells.columns
    owners = columns["account"][cells]
    found, instrument = indexed(columns["instrument"][cells])
    yield PositionChanged(
        instruments=[state.instruments.names[each] for each in found],
        account=state.accounts.columns["number"][owners],
        instrument=column(instrument),
        steps=columns["held"][cells] + changes.steps[cells],
        short_steps=column(columns["short"][cells]),
    )
    yield value_of(state, shard, valued_at_ns, each_once(owners), changes)


def value_of(
    state: ShardState, shard: Shard, valued_at_ns: int, accounts: Ints, changes: Changes
) -> AccountValued:  # fmt: skip
    """Return what accounts (rows, each once) are worth after changes that are not booked yet."""
    values = np.zeros((5, accounts.size), np.int64)
    value_accounts(shard, accounts, *changes, values)
    return AccountValued(
        valued_at_ns=valued_at_ns,
        account=state.accounts.columns["number"][accounts],
        balance_micro=values[0],
        equity_micro=values[1],
        margin_micro=values[2],
        gross_micro=values[3],
        net_micro=values[4],
    )


def values_now(state: ShardState, valued_at_ns: int, cells: Ints) -> Iterator[Message]:
    """Yield positions in `cells` and the values of their accounts as they are."""
    shard = state.shard()
    yield from values_of(state, shard, valued_at_ns, cells, no_changes(shard))
