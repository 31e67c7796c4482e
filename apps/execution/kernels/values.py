"""What accounts are worth, and what fills bring."""

from typing import Any

import numpy as np

from apps.execution.kernels.records import Shard
from apps.execution.kernels.sizing import lots_of, middle_of
from trading.compiled import inner_kernel, kernel
from trading.money import MILLIONTHS


@kernel
def amounts_of(shard: Shard, instruments: Any, steps: Any, prices_e9: Any) -> Any:
    """Return the cash, in micro units (int64[k]), that lot steps at a price bring: a purchase's is negative."""
    out = np.empty(steps.size, np.int64)
    for k in range(steps.size):
        instrument = shard.instruments[instruments[k]]
        lots = lots_of(instrument, steps[k])
        value = lots * (prices_e9[k] / 1e9 * (instrument.contract_e9 / 1e9))
        out[k] = int(np.rint(-value * MILLIONTHS))
    return out


@kernel
def value_accounts(shard: Shard, accounts: Any, steps: Any, cash: Any, out: Any) -> None:
    """Value accounts (rows, int64[k]) at the last closes, as they are after changes that are not booked yet.

    `steps` is int64[cells] and `cash` int64[accounts] (micro units): the changes. `out` is int64[5, k]: balance,
    equity, margin, gross and net, in micro units.
    """
    for k in range(accounts.size):
        account = shard.accounts[accounts[k]]
        balance = account.balance_micro + cash[accounts[k]]
        gross = net = margin = 0
        at = account.first_cell
        while at >= 0:
            cell = shard.cells[at]
            value = value_micro(shard.instruments[cell.instrument], cell.held + steps[at])
            rate = max(shard.instruments[cell.instrument].margin_e9 / 1e9, 1e9 / account.leverage_e9)
            net += value
            gross += abs(value)
            margin += int(np.rint(abs(value) * rate))
            at = cell.next_cell
        out[0, k] = balance
        out[1, k] = balance + net
        out[2, k] = margin
        out[3, k] = gross
        out[4, k] = net


@inner_kernel
def value_micro(instrument: Any, steps: int) -> int:
    """Return what lot steps are worth at the middle of the last quote, in whole micro units."""
    lots = lots_of(instrument, steps)
    return int(np.rint(lots * (middle_of(instrument) * (instrument.contract_e9 / 1e9)) * MILLIONTHS))


@kernel
def values_of_steps(instruments: Any, steps: Any) -> Any:
    """Return what lot steps are worth, in micro units (int64[k]); `instruments` is INSTRUMENT_DTYPE[k]."""
    out = np.empty(steps.size, np.int64)
    for k in range(steps.size):
        out[k] = value_micro(instruments[k], steps[k])
    return out
