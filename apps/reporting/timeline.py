"""What happened to an order, in the order in which it happened."""

from typing import NamedTuple

from apps.reporting.reading import OrderRow, place_of, refusals_of
from apps.reporting.scoping import rows


class Happening(NamedTuple):
    """Something that happened to an order, in words."""

    at_ns: int
    what: str


def timeline(order: OrderRow) -> list[Happening]:
    """Return what happened to an order, oldest first."""
    stages = [
        (order.signalled_at_ns, f"{order.set} said so"),
        (order.requested_at_ns, f"requested {order.lots:+g} lots"),
        (order.approved_at_ns, "approved by risk"),
        (order.sent_at_ns, "sent"),
        (order.accepted_at_ns, "acknowledged"),
        (order.unknown_at_ns, "unknown: nobody knows whether it arrived"),
    ]
    told = [Happening(at_ns, what) for at_ns, what in stages if at_ns is not None]
    told += _fills(order)
    if order.ended_at_ns is not None:
        told.append(Happening(order.ended_at_ns, f"{order.state}{_because(order)}"))
    return sorted(told, key=lambda each: each.at_ns)


def _fills(order: OrderRow) -> list[Happening]:
    found = rows(
        "SELECT f.filled_at_ns, sum(f.steps) * max(i.lot_step_e9) / 1e9, f.price_e9 / 1e9, f.execution_id "
        "FROM reporting_fill AS f JOIN reporting_account AS a ON a.number = f.account "
        "JOIN reporting_instrument AS i ON i.id = f.instrument "
        "WHERE a.id = %s AND f.instrument = %s AND f.decision = %s AND f.kind = 0 "
        "GROUP BY f.shard, f.number, f.event, f.row, f.filled_at_ns, f.price_e9, f.execution_id",
        [order.account, order.instrument, order.decision],
    )
    return [
        Happening(at_ns, f"filled {float(lots):+g} lots at {float(price):g} ({execution})")
        for at_ns, lots, price, execution in found
    ]  # fmt: skip


def _because(order: OrderRow) -> str:
    refusal = refusals_of([order]).get(place_of(order)) if order.why.startswith("risk") else None
    if refusal is None:
        return f": {order.why}" if order.why else ""
    limit = f"{refusal.actual:,} against {refusal.bound:,}, set at level {refusal.level}"
    return f": risk: {refusal.reason} ({limit})"
