"""What accounts hold and are worth after changes of their books."""

from collections.abc import Iterator

import numpy as np

from apps.execution.contracts import AccountValued, OrdersReported, PositionChanged
from apps.execution.evolving import full
from apps.execution.kernels.records import Shard
from apps.execution.kernels.values import amounts_of, value_accounts
from apps.execution.netted_orders import column, each_once, indexed
from apps.execution.state import ShardState
from banyan.columns import Ints
from banyan.messages import Message


def fill_amounts(state: ShardState, report: OrdersReported, rows: Ints, places: tuple[Ints, Ints]) -> Ints:
    """Return the cash that fills in some rows of a report brought; `places` are their accounts' rows and instruments'.

    It is what the broker says where that had to be converted, and else, or where the broker does not say, what follows
    from steps and price.
    """
    owners, instruments = places
    steps, prices = (full(column, report.account)[rows] for column in (report.steps, report.price_e9))
    amounts = amounts_of(state.shard(), instruments, owners, steps, prices)
    if not report.amount_micro.size:
        return amounts
    told = report.amount_micro[rows]
    return np.where(told != 0, told, amounts)


def values_of(
    state: ShardState, shard: Shard, valued_at_ns: int, cells: Ints, steps: Ints, cash: Ints
) -> Iterator[Message]:
    """Yield positions in `cells` and the values of their accounts, after changes that are not booked yet.

    `steps` is int64[all cells] and `cash` int64[all accounts], micro units: the changes.
    """
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
        steps=columns["held"][cells] + steps[cells],
        short_steps=column(columns["short"][cells]),
    )
    yield value_of(state, shard, valued_at_ns, each_once(owners), steps, cash)


def value_of(
    state: ShardState, shard: Shard, valued_at_ns: int, accounts: Ints, steps: Ints, cash: Ints
) -> AccountValued:  # fmt: skip
    """Return what accounts (rows, each once) are worth after changes as in `values_of`."""
    values = np.zeros((5, accounts.size), np.int64)
    value_accounts(shard, accounts, steps, cash, values)
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
    none = np.zeros(shard.cells.size, np.int64), np.zeros(shard.accounts.size, np.int64)
    yield from values_of(state, shard, valued_at_ns, cells, *none)
