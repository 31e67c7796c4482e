"""What must hold of positions, reservations, money and books. For what each yields, see Found of the invariants."""

from collections.abc import Iterator

import numpy as np

from apps.audit.facts import RESERVED_AMOUNTS, Facts, Table
from apps.audit.index import Orders
from banyan.columns import Ints

Found = Iterator[tuple[str, str, str]]


def positions_agree(facts: Facts, _: Orders) -> Found:
    """Yield holdings that those who keep them do not agree about."""
    width = len(facts.names)
    cells, sums = _sums(facts.held, facts.held["account"] * width + facts.held["instrument"], _HOLDERS)
    expected = sums["filled"] + sums["booked"]
    for column, who in _HOLDERS.items():
        for at in np.flatnonzero(sums[column] != expected).tolist() if who else []:
            account, instrument = divmod(int(cells[at]), width)
            told = f"fills {sums['filled'][at]:+}, outside {sums['booked'][at]:+}"
            about = f"account {account}, {facts.names[instrument]}"
            yield about, f"{expected[at]:+} steps ({told})", f"{sums[column][at]:+}: {who}"


_HOLDERS = {
    "filled": "", "booked": "", "held": "execution's state", "books": "the sum of its books", "at_risk": "risk",
    "at_broker": "the broker",
}  # fmt: skip


def reservations_agree(facts: Facts, orders: Orders) -> Found:
    """Yield orders for which risk reserves anything else than what is left of them, and sums that are not theirs."""
    left, reserved = orders.last("open", "left"), orders.last("reserved", "left")
    for order in np.flatnonzero(left != reserved).tolist():
        yield orders.name(order), f"{left[order]:+} steps reserved", f"{reserved[order]:+}"
    cells = facts.exposed
    is_other = (cells["long"] != cells["buys"]) | (cells["short"] != cells["sells"])
    is_left_over = (cells["buys"] == 0) & (cells["sells"] == 0) & (cells["reserved"] != 0)
    for row in np.flatnonzero(is_other | is_left_over).tolist():
        about = f"account {cells['account'][row]}, {facts.names[int(cells['instrument'][row])]}"
        if is_other[row]:
            expected = f"{cells['buys'][row]:+} and {cells['sells'][row]:+} steps reserved for its open orders"
            yield about, expected, f"{cells['long'][row]:+} and {cells['short'][row]:+}"
        else:
            yield about, "nothing reserved without an open order", _money(cells["reserved"][row])
    totals = facts.totals
    for row in np.flatnonzero(totals["reserved"] != totals["of_cells"]).tolist():
        about = f"account {totals['account'][row]}, {RESERVED_AMOUNTS[int(totals['amount'][row])]}"
        yield about, f"{_money(totals['of_cells'][row])} reserved, as by instrument", _money(totals["reserved"][row])


def cash_balances(facts: Facts, _: Orders) -> Found:
    """Yield accounts whose money is not what they began with and what has come and gone since."""
    accounts, sums = _sums(facts.cash, facts.cash["account"], _MONEY)
    brought = sums["filled"] + sums["booked"]
    expected = sums["deposit"] + brought
    is_comparable = (sums["is_at_broker"] > 0) & (sums["is_incomparable"] == 0)
    for at in np.flatnonzero(sums["balance"] != expected).tolist():
        yield f"account {accounts[at]}", f"a balance of {_money(expected[at])}", _money(sums["balance"][at])
    for at in np.flatnonzero(sums["books"] != brought).tolist():
        yield f"account {accounts[at]}", f"{_money(brought[at])} in its books", _money(sums["books"][at])
    for at in np.flatnonzero(is_comparable & (sums["at_broker"] != expected)).tolist():
        yield f"account {accounts[at]}", f"{_money(expected[at])} of cash at the broker", _money(sums["at_broker"][at])


_MONEY = ("deposit", "filled", "booked", "balance", "books", "at_broker", "is_at_broker", "is_incomparable")


def _money(micro: int) -> str:
    return f"{micro / 1e6:.6f}"


def _sums(table: Table, keys: Ints, names: "dict[str, str] | tuple[str, ...]") -> tuple[Ints, dict[str, Ints]]:
    """Return keys, each once, and the sums of columns over their rows."""
    found, at = np.unique(keys, return_inverse=True)
    sums = {name: np.zeros(found.size, np.int64) for name in names}
    for name, total in sums.items():
        np.add.at(total, at.reshape(-1), table[name])
    return found, sums


def books_within_approval(facts: Facts, orders: Orders) -> Found:
    """Yield shares of orders that lead a book past what it held and what it wants, and do not just work that off."""
    held, working, on_its_way, steps = (facts.sizings[each] for each in ("held", "working", "on_its_way", "steps"))
    low, high = np.minimum(held, working), np.maximum(held, working)
    before = held + on_its_way
    after = before + steps
    is_within = (low <= after) & (after <= high)
    works_off = ((before > high) & (low <= after) & (after < before)) | (
        (before < low) & (before < after) & (after <= high)
    )
    for row in np.flatnonzero(~is_within & ~works_off).tolist():
        about = f"{orders.name(orders.of['sizings'][row])}, book {facts.names[int(facts.sizings['book'][row])]}"
        yield about, f"from {low[row]:+} to {high[row]:+} steps", f"{after[row]:+}"
