"""What accounts are worth, and what they have lost of it: today, this week, this month, and from their peak."""

from typing import Any

from apps.risk.kernels.arithmetic import is_above, share_e9
from apps.risk.kernels.levels import account_bound
from apps.risk.kernels.records import AMOUNT_MAX, LOSS, LOSSES, Book
from trading.compiled import kernel

PERIODS = 3
PEAK = 2 * PERIODS


@kernel
def are_possible(values: Any, possible: Any) -> None:
    """Write into `possible`, int64[n], whether values (int64[6, n], see `value`) can be (1)."""
    for i in range(possible.size):
        possible[i] = 1
        for each in range(6):
            if values[each, i] > AMOUNT_MAX or values[each, i] < -AMOUNT_MAX:
                possible[i] = 0
        if values[2, i] < 0 or values[3, i] < 0 or abs(values[4, i]) > values[3, i]:
            possible[i] = 0


@kernel
def value(accounts: Any, references: Any, turns: Any, rows: Any, values: Any, now: Any) -> None:
    """Value accounts (`rows`, int64[n]). `now` is int64[zones, 3]: the day, week and month in each zone.

    What a period's loss is measured from is what an account was last worth before it, and what was paid in or out
    since: that moves what all losses are measured from, and so is neither profit nor loss. `values` is int64[6, n]:
    balance, equity, margin, gross, net and what was paid in.
    """
    for i in range(rows.size):
        row = rows[i]
        account = accounts[row]
        for period in range(PERIODS):
            if now[account.zone, period] > turns[row, period]:
                turns[row, period] = now[account.zone, period]
                references[row, 2 * period] = account.equity
                references[row, 2 * period + 1] = account.balance
        for loss in range(LOSSES):
            references[row, loss] += values[5, i]
        account.balance = values[0, i]
        account.equity = values[1, i]
        account.margin = values[2, i]
        account.gross = values[3, i]
        account.net = values[4, i]
        references[row, PEAK] = max(references[row, PEAK], account.equity)
        references[row, PEAK + 1] = max(references[row, PEAK + 1], account.balance)


@kernel
def find_losses(book: Book, found: Any) -> None:
    """Write what losses newly pass their bounds into `found`, int64[3, LOSSES, accounts]: level + 1, bound, actual."""
    for row in range(book.accounts.size):
        account = book.accounts[row]
        for loss in range(LOSSES):
            bound, level = account_bound(book.limits, LOSS + loss, account.limits)
            if bound < 0 or account.stops & (1 << loss):
                continue
            start = book.references[row, loss]
            lost = start - (account.equity if loss % 2 == 0 else account.balance)
            if start > 0 and lost > 0 and is_above(lost, bound, start):
                found[0, loss, row] = level + 1
                found[1, loss, row] = bound
                found[2, loss, row] = share_e9(lost, start)


@kernel
def renew_references(accounts: Any, references: Any, rows: Any) -> None:
    """Measure losses anew, from what accounts are worth now."""
    for i in range(rows.size):
        for loss in range(LOSSES):
            account = accounts[rows[i]]
            references[rows[i], loss] = account.equity if loss % 2 == 0 else account.balance
