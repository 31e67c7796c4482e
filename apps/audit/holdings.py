"""What must hold of positions, reservations, money and books. For what each yields, see Found of the invariants."""

from collections.abc import Iterator

from apps.audit.facts import Facts, Sizing

Found = Iterator[tuple[str, str, str]]


def positions_agree(facts: Facts) -> Found:
    """Yield holdings that those who keep them do not agree about."""
    for (account, instrument), held in facts.held.items():
        about = f"account {account}, {instrument}"
        expected = held.filled + held.booked
        told = {
            "execution's state": held.held,
            "the sum of its books": held.books,
            "risk": held.at_risk,
            "the broker": held.at_broker,
        }
        for who, steps in told.items():
            if steps != expected:
                yield about, f"{expected:+} steps (fills {held.filled:+}, outside {held.booked:+})", f"{steps:+}: {who}"


def reservations_agree(facts: Facts) -> Found:
    """Yield orders for which risk reserves anything else than what is left of them."""
    for order in sorted(facts.open.keys() | facts.reserved.keys()):
        left = facts.open[order].left if order in facts.open else 0
        reserved = facts.reserved.get(order, 0)
        if left != reserved:
            yield str(order), f"{left:+} steps reserved", f"{reserved:+}"


def cash_balances(facts: Facts) -> Found:
    """Yield accounts whose money is not what they began with and what has come and gone since."""
    for account, cash in facts.cash.items():
        about = f"account {account}"
        expected = cash.deposit + cash.filled + cash.booked
        if cash.balance != expected:
            yield about, f"a balance of {expected / 1e6:.6f}", f"{cash.balance / 1e6:.6f}"
        if cash.books != cash.filled + cash.booked:
            yield about, f"{(cash.filled + cash.booked) / 1e6:.6f} in its books", f"{cash.books / 1e6:.6f}"
        if cash.is_comparable and cash.at_broker is not None and cash.at_broker != expected:
            yield about, f"{expected / 1e6:.6f} of cash at the broker", f"{cash.at_broker / 1e6:.6f}"


def books_within_approval(facts: Facts) -> Found:
    """Yield shares of orders that lead a book past what it held and what it wants, and do not just work that off."""
    for each in facts.sizings:
        low, high = min(each.held, each.working), max(each.held, each.working)
        after = each.held + each.on_its_way + each.steps
        if not low <= after <= high and not _works_off(each, low, high):
            yield f"{each.order}, book {each.book}", f"from {low:+} to {high:+} steps", f"{after:+}"


def _works_off(each: Sizing, low: int, high: int) -> bool:
    before = each.held + each.on_its_way
    after = before + each.steps
    return (before > high and low <= after < before) or (before < low and before < after <= high)
