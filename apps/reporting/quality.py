"""How well orders were executed: how long each stage took, and what the price did meanwhile."""

from typing import Any, NamedTuple

from apps.reporting.scoping import Columns, Scope, rows, where

_STAGES = (
    ("signal -> decision", "o.signalled_at_ns", "o.requested_at_ns"),
    ("decision -> approved", "o.requested_at_ns", "o.approved_at_ns"),
    ("approved -> sent", "o.approved_at_ns", "o.sent_at_ns"),
    ("sent -> acknowledged", "o.sent_at_ns", "o.accepted_at_ns"),
    ("acknowledged -> filled", "o.accepted_at_ns", "o.first_fill_ns"),
    ("sent -> filled", "o.sent_at_ns", "o.first_fill_ns"),
    ("signal -> sent", "o.signalled_at_ns", "o.sent_at_ns"),
    ("signal -> filled", "o.signalled_at_ns", "o.first_fill_ns"),
)


class LatencyRow(NamedTuple):
    """How long orders were in a stage, in milliseconds, by the events' own times."""

    stage: str
    orders: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float


class SlippageRow(NamedTuple):
    """What fills cost against the middle of the quote at decision and at arrival (when the order was SENT).

    Averages in basis points are weighted by notional; money is in the currency of the quotes; cost > 0. `arrivals` is
    how many of the orders have a quote of the time at which they were sent.
    """

    set: str
    broker: str
    currency: str
    orders: int
    notional: float
    decision_bps: float | None
    arrival_bps: float | None
    decision_cost: float
    arrival_cost: float
    arrivals: int


def latencies(scope: Scope) -> list[LatencyRow]:
    """Return the stages of orders that have passed them, in order."""
    limits, values = where(scope, _ORDER)
    stages = ", ".join(f"('{name}', {end} - {begin}, {at})" for at, (name, begin, end) in enumerate(_STAGES))
    found = rows(
        f"""
        SELECT v.stage, count(*), percentile_disc(ARRAY[0.5, 0.9, 0.99, 1]) WITHIN GROUP (ORDER BY v.took)
        FROM reporting_order AS o JOIN reporting_account AS a ON a.number = o.account
        CROSS JOIN LATERAL (VALUES {stages}) AS v(stage, took, place)
        WHERE v.took IS NOT NULL AND {limits} GROUP BY v.stage, v.place ORDER BY v.place
        """,  # noqa: S608  (names of ours)
        values,
    )
    return [LatencyRow(stage, count, *(took / 1e6 for took in times)) for stage, count, times in found]


def slippage(scope: Scope) -> list[SlippageRow]:
    """Return the cost of fills by set and broker."""
    limits, values = where(scope, _ORDER)
    found = rows(
        f"""
        WITH filled AS (
            SELECT o.set, a.broker, i.currency, sign(o.filled_steps) AS side, o.sent_at_ns, o.instrument,
              abs(o.filled_steps)::numeric * i.lot_step_e9 / 1e9 * i.contract_e9 / 1e9 AS size,
              (o.bid_ticks + o.ask_ticks)::numeric * i.tick_e9 / 2e9 AS decided, i.tick_e9,
              (SELECT sum(f.price_e9::numeric * abs(f.steps)) / sum(abs(f.steps)) / 1e9 FROM reporting_fill AS f
               WHERE f.account = o.account AND f.instrument = o.instrument AND f.decision = o.decision AND f.kind = 0
              ) AS paid
            FROM reporting_order AS o JOIN reporting_account AS a ON a.number = o.account
            JOIN reporting_instrument AS i ON i.id = o.instrument
            WHERE o.filled_steps <> 0 AND o.bid_ticks > 0 AND {limits}
        ), arrived AS (
            SELECT f.*, (q.bid + q.ask)::numeric * f.tick_e9 / 2e9 AS arrived FROM filled AS f
            LEFT JOIN LATERAL (
                SELECT q.bid_ticks[array_position(q.instruments, f.instrument)] AS bid,
                  q.ask_ticks[array_position(q.instruments, f.instrument)] AS ask
                FROM reporting_quote AS q
                WHERE q.received_at_ns <= f.sent_at_ns AND f.instrument = ANY(q.instruments)
                ORDER BY q.received_at_ns DESC LIMIT 1
            ) AS q ON true
        )
        SELECT set, broker, currency, count(*), sum(paid * size),
          sum(side * (paid - decided) * size) / NULLIF(sum(decided * size), 0) * 1e4,
          sum(side * (paid - arrived) * size) / NULLIF(sum(arrived * size), 0) * 1e4,
          sum(side * (paid - decided) * size), COALESCE(sum(side * (paid - arrived) * size), 0), count(arrived)
        FROM arrived GROUP BY set, broker, currency ORDER BY set, broker, currency
        """,  # noqa: S608  (names of ours)
        values,
    )
    return [
        SlippageRow._make([*row[:4], float(row[4]), *map(_number, row[5:7]), float(row[7]), float(row[8]), row[9]])
        for row in found
    ]  # fmt: skip


def closed_at_ns(instrument: str) -> int:
    """Return when the last bar of an instrument closed that a feed has let in, 0 where none has."""
    found = rows("SELECT max(closed_at_ns) FROM reporting_price WHERE instrument = %s", [instrument])
    return found[0][0] or 0


_ORDER = Columns(set="o.set", instrument="o.instrument", at_ns="o.requested_at_ns")


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
