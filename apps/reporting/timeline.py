"""What happened to an order, in the order in which it happened."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from apps.reporting.reading import FillPlace, FillRow, OrderRow, place_of
from apps.reporting.unfolding import refusals_of


class Happening(NamedTuple):
    """Something that happened to an order, in words; `is_brokers`: its time is by the broker's clock, not by ours."""

    at_ns: int
    what: str
    is_brokers: bool = False


def timeline(order: OrderRow, fills: Sequence[tuple[FillPlace, FillRow]]) -> list[Happening]:
    """Return what happened to an order, whose fills are given as `fills_of` does, causes before what came of them.

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
        (order.answered_at_ns, f"{order.answer}"),
    ]
    stages[4:] = sorted(stages[4:], key=lambda each: each[0] or 0)  # any may come first
    told = [Happening(at_ns, what) for at_ns, what in stages if at_ns is not None]
    filled = sorted(_happened(fills), key=lambda each: each.at_ns)
    if order.ended_at_ns is None:
        return [*told, *filled]
    end = Happening(order.ended_at_ns, f"{order.state}{_because(order)}")
    late = [] if order.state == "Filled" else [each for each in filled if each.at_ns > end.at_ns]
    return [*told, *filled[: len(filled) - len(late)], end, *late]


def _happened(fills: Sequence[tuple[FillPlace, FillRow]]) -> list[Happening]:
    """Return fills, those of several books at once as the one fill that they are."""
    lots: dict[tuple[Any, ...], float] = defaultdict(float)
    for (*whole, _), row in reversed(fills):
        lots[tuple(whole)] += row.lots or 0.0
    one_of = {tuple(whole): row for (*whole, _), row in reversed(fills)}
    return [
        Happening(
            row.filled_at_ns, f"filled {lots[whole]:+,.10g} lots at {row.price:.10g} ({row.execution_id})",
            is_brokers=True,
        )
        for whole, row in one_of.items()
    ]  # fmt: skip


def _because(order: OrderRow) -> str:
    refusal = refusals_of([order]).get(place_of(order)) if order.why.startswith("risk") else None
    if refusal is None:
        return f": {order.why}" if order.why else ""
    limit = f"{refusal.actual:,} against {refusal.bound:,}, set at level {refusal.level}"
    return f": risk: {refusal.reason} ({limit})"
