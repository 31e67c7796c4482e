"""What accounts are worth, and what fills bring."""

from typing import Any

import numpy as np

from apps.execution.kernels.records import Shard
from apps.execution.kernels.sizing import lots_of, middle_of, rate_of
from trading.compiled import inner_kernel, kernel
from trading.money import MILLIONTHS


@kernel
def amounts_of(shard: Shard, instruments: Any, accounts: Any, steps: Any, prices_e9: Any) -> Any:
    """Return the cash, in micro units (int64[k]), that lot steps at a price bring to accounts (rows)."""
    out = np.empty(steps.size, np.int64)
    for k in range(steps.size):
        instrument = shard.instruments[instruments[k]]
        per_price = instrument.contract_e9 / 1e9 * rate_of(shard, instrument, shard.accounts[accounts[k]])
        value = lots_of(instrument, steps[k]) * (prices_e9[k] / 1e9 * per_price)
        out[k] = int(np.rint(-value * MILLIONTHS))
    return out


@kernel
def value_accounts(shard: Shard, accounts: Any, steps: Any, cash: Any, paid: Any, out: Any) -> None:
    """Value accounts (rows, int64[k]) at the last closes, as they are after changes that are not booked yet.

    `steps` is int64[cells], `cash` and `paid` (for what is held) are int64[accounts] in micro units: the changes, of
    netting accounts alone. `out` is int64[5, k]: balance, equity, margin, gross and net, in micro units. Balance is
    cash and what was paid for what is held: what was paid in and what was gained since, as far as it is realised.
    Gross and margin are those of each ticket.
    """
    for k in range(accounts.size):
        account = shard.accounts[accounts[k]]
        money = account.balance_micro + cash[accounts[k]]
        balance = money + paid[accounts[k]]
        gross = net = margin = 0
        at = account.first_cell
        while at >= 0:
            cell = shard.cells[at]
            instrument = shard.instruments[cell.instrument]
            value = _value_micro(instrument, cell.held + steps[at], rate_of(shard, instrument, account))
            rate = max(instrument.margin_e9 / 1e9, 1e9 / account.leverage_e9)
            exposed = abs(value)
            if cell.short != 0:
                exposed = abs(_value_micro(instrument, cell.short, rate_of(shard, instrument, account)))
                exposed += abs(_value_micro(instrument, cell.held - cell.short, rate_of(shard, instrument, account)))
            net += value
            gross += exposed
            margin += int(np.rint(exposed * rate))
            line = cell.first_line
            while line >= 0:
                balance += shard.lines[line].cost_micro
                line = shard.lines[line].next_line
            at = cell.next_cell
        out[0, k] = balance
        out[1, k] = money + net
        out[2, k] = margin
        out[3, k] = gross
        out[4, k] = net


@inner_kernel
def _value_micro(instrument: Any, steps: int, rate: float) -> int:
    """Return what lot steps are worth at the middle of the last quote, in whole micro units of the account."""
    per_price = instrument.contract_e9 / 1e9 * rate
    return int(np.rint(lots_of(instrument, steps) * (middle_of(instrument) * per_price) * MILLIONTHS))


@kernel
def step_values(shard: Shard, instruments: Any, accounts: Any) -> Any:
    """Return what one lot step is worth to accounts (rows), in micro units (int64[k])."""
    out = np.empty(instruments.size, np.int64)
    for k in range(instruments.size):
        instrument = shard.instruments[instruments[k]]
        out[k] = _value_micro(instrument, 1, rate_of(shard, instrument, shard.accounts[accounts[k]]))
    return out
