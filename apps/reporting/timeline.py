"""What happened to an order, in the order in which it happened."""

from typing import NamedTuple

from apps.reporting.reading import OrderRow, place_of, refusals_of
from apps.reporting.scoping import rows


class Happening(NamedTuple):
    """Something that happened to an order, in words; `is_brokers`: its time is by the broker's clock, not by ours."""

    at_ns: int
    what: str
    is_brokers: bool = False


def timeline(order: OrderRow) -> list[Happening]:
    """Return what happened to an order, causes before what came of them.

    Times are of two clocks: a broker's fill may be timed before its order was sent. So what we did stands in the order
    of its stages; then come fills and the order's end, by their times, but for the end of what was filled, the last.
    """
    stages = [
        (order.signalled_at_ns, f"{order.set} said so"),
        (order.requested_at_ns, f"requested {order.lots:+,.10g} lots"),
        (order.approved_at_ns, "approved by risk"),
        (order.sent_at_ns, "sent"),
        (order.accepted_at_ns, "acknowledged"),
        (order.unknown_at_ns, "unknown: nobody knows whether it arrived"),
    ]
    stages[4:] = sorted(stages[4:], key=lambda each: each[0] or 0)  # either may come first
    told = [Happening(at_ns, what) for at_ns, what in stages if at_ns is not None]
    fills = sorted(_fills(order), key=lambda each: each.at_ns)
    if order.ended_at_ns is None:
        return [*told, *fills]
    end = Happening(order.ended_at_ns, f"{order.state}{_because(order)}")
    late = [] if order.state == "Filled" else [each for each in fills if each.at_ns > end.at_ns]
    return [*told, *fills[: len(fills) - len(late)], end, *late]


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
        Happening(at_ns, f"filled {float(lots):+,.10g} lots at {float(price):.10g} ({execution})", is_brokers=True)
        for at_ns, lots, price, execution in found
    ]  # fmt: skip


def _because(order: OrderRow) -> str:
    refusal = refusals_of([order]).get(place_of(order)) if order.why.startswith("risk") else None
    if refusal is None:
        return f": {order.why}" if order.why else ""
    limit = f"{refusal.actual:,} against {refusal.bound:,}, set at level {refusal.level}"
    return f": risk: {refusal.reason} ({limit})"
