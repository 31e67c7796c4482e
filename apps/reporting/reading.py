"""Orders, fills and signals, as people read them: newest first."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from apps.execution.contracts import EdgeRefusal, ReportKind
from apps.reporting.models import CANCELLED, REFUSED, Fill
from apps.reporting.scoping import (
    NUMBER_OF,
    Columns,
    Scope,
    Source,
    Walk,
    few_of,
    of_all,
    of_each,
    of_page,
    rows,
    where,
)
from apps.risk.contracts import RefusalReason
from apps.signals.contracts import TargetSet
from banyan.codec import decode_message


class AccountRow(NamedTuple):
    """An account and what it was worth when it was last valued, in its currency; `deposit`: all that was paid in."""

    account: str
    client: str
    broker: str
    currency: str
    deposit: float
    balance: float
    equity: float
    margin: float


class OrderRow(NamedTuple):
    """An order. Quantities are lots, signed; `price` is the average of its fills."""

    account: str
    instrument: str
    decision: int
    set: str
    lots: float
    filled: float
    price: float | None
    fee: float
    state: str
    why: str
    requested_at_ns: int | None
    approved_at_ns: int | None
    sent_at_ns: int | None
    accepted_at_ns: int | None
    unknown_at_ns: int | None
    first_fill_ns: int | None
    last_fill_ns: int | None
    ended_at_ns: int | None
    signalled_at_ns: int | None
    number: int | None
    decided_at_ns: int | None
    answered_at_ns: int | None
    answer: str | None
    """What came of what a person has said of it last, in words."""


class FillRow(NamedTuple):
    """Lots that a book got or gave; money in the account's currency. None: nobody has said how large a lot step is."""

    filled_at_ns: int
    account: str
    instrument: str
    decision: int
    book: str
    kind: str
    lots: float | None
    price: float
    amount: float
    fee: float
    realised: float
    execution_id: str


class SignalRow(NamedTuple):
    """A row of a set's targets; `value` is a share of equity or lots, as `mode` says."""

    said_at_ns: int
    set: str
    version: int
    instrument: str
    mode: str
    value: float
    bid_ticks: int
    ask_ticks: int
    decided_at_ns: int


_LOTS = "i.lot_step_e9 / 1e9"


def _ended_by(kinds: Iterable[ReportKind]) -> str:
    return f"o.end_kind IN ({', '.join(str(int(each)) for each in kinds)})"


_OF_AN_ORDER_MAX = 1_000
ORDER_STATES = {
    "working": "o.end_kind IS NULL AND (o.filled_steps < o.steps OR o.filled_steps > o.steps)",  # as in its index
    "filled": "o.end_kind IS NULL AND o.filled_steps = o.steps",
    "refused": _ended_by(REFUSED),
    "cancelled": _ended_by(CANCELLED),
    "unknown": "o.is_unknown AND o.end_kind IS NULL",
}
"""What orders can be asked for by, and the condition that says so."""

OrderPlace = tuple[int, str, str, int]
"""Where an order stands among all: when it was requested, account, instrument, decision."""
_ORDER_PLACE = ("o.requested_at_ns", "o.account", "o.instrument", "o.decision")
_GIVEN = {"o.account": NUMBER_OF}
ChangePlace = tuple[str, int, str, str, int]
"""Where a change of an order stands among all: where in execution's log, account, instrument, decision."""
_CHANGE_PLACE = ("c.shard", "c.number", "a.id", "o.instrument", "o.decision")
_CHANGED = """reporting_orderchange AS c
        CROSS JOIN LATERAL unnest(c.account, c.instrument, c.decision) AS u(account, instrument, decision)
        JOIN reporting_order AS o ON o.account = u.account AND o.decision = u.decision
          AND o.instrument = c.instruments[u.instrument + 1]
        JOIN reporting_account AS a ON a.number = o.account"""
_ORDERS, _FILLS = "reporting_order AS o", "reporting_fill AS f"
FillPlace = tuple[int, str, int, int, int, int]
"""Where a fill stands among all: when it came, and where in execution's log."""
_FILL_PLACE = ("f.filled_at_ns", "f.shard", "f.number", "f.event", "f.row", "f.part")


def accounts(scope: Scope, most: int) -> list[AccountRow]:
    """Return accounts, by number."""
    limits, values = where(scope, Columns())
    found = rows(
        "SELECT id, client, broker, currency, (deposit_micro + (SELECT COALESCE(sum(c.amount_micro), 0) "  # noqa: S608  (names of ours)
        "FROM reporting_cash AS c WHERE c.account = a.number AND c.kind = 0)) / 1e6, balance_micro / 1e6, "
        "equity_micro / 1e6, "
        f"margin_micro / 1e6 FROM reporting_account AS a WHERE {limits} ORDER BY number LIMIT %s",
        [*values, most],
    )
    return [AccountRow(*row[:4], *map(float, row[4:])) for row in found]


def orders(
    scope: Scope, most: int, *, state: str = "", before: OrderPlace | None = None, is_rising: bool = False
) -> list[OrderRow]:
    """Return orders, newest first, after the one at `before`: in a state of ORDER_STATES, or in any ("").

    With `is_rising` the oldest come first, and those that are newer than `before`.
    """
    limits, values = where(scope, Columns(set="o.set", instrument="o.instrument", at_ns="o.requested_at_ns"))
    if state:
        limits += f" AND {ORDER_STATES[state]}"
    walk, few = Walk(_ORDER_PLACE, before, is_rising, _GIVEN), few_of(scope)
    source = of_each(_ORDERS, (f"o.steps IS NOT NULL AND {limits}", values), walk, few, most) if few else None
    return [row for _, row in _orders(limits, values, most, walk, source)]


def order(scope: Scope, decision: int) -> OrderRow | None:
    """Return the order of an account in an instrument that has a decision number, if there is one."""
    limits, values = where(scope, Columns(set="o.set", instrument="o.instrument", at_ns="o.requested_at_ns"))
    found = _orders(f"{limits} AND o.decision = %s", [*values, decision], 1, Walk(_ORDER_PLACE), is_one=True)
    return next((row for _, row in found), None)


def log_changes(scope: Scope, condition: str, more: list[Any], most: int) -> list[tuple[ChangePlace, OrderRow]]:
    """Return the orders of changes for which a condition holds, in the order of execution's log, shard by shard."""
    limits, values = where(scope, Columns(set="o.set", instrument="o.instrument", at_ns="c.changed_at_ns"))
    walk = Walk(_CHANGE_PLACE, is_rising=True)
    return _orders(f"{limits} AND {condition}", [*values, *more], most, walk, Source(_CHANGED))


def _orders(
    limits: str, values: list[Any], most: int, walk: Walk, source: Source | None = None, *, is_one: bool = False
) -> list[tuple[Any, OrderRow]]:
    source = source or of_all(_ORDERS)
    beyond, place = walk.beyond()
    found = rows(
        f"""
        SELECT {", ".join(walk.columns)},
          a.id, o.instrument, o.decision, COALESCE(o.set, ''), o.steps * {_LOTS}, o.filled_steps * {_LOTS},
          (SELECT sum(f.price_e9::numeric * abs(f.steps)) / NULLIF(sum(abs(f.steps)), 0) / 1e9 FROM reporting_fill AS f
           WHERE f.account = o.account AND f.instrument = o.instrument AND f.decision = o.decision AND f.kind = 0),
          o.fee_micro / 1e6, o.steps, o.filled_steps, o.is_unknown, o.end_kind, o.end_code, o.end_text,
          o.requested_at_ns, o.approved_at_ns, o.sent_at_ns, o.accepted_at_ns, o.unknown_at_ns, o.first_fill_ns,
          o.last_fill_ns, o.ended_at_ns, o.signalled_at_ns, o.requested_number, o.decided_at_ns,
          o.answered_at_ns, o.answer
        FROM {source.sql}
        LEFT JOIN reporting_instrument AS i ON i.id = o.instrument
        WHERE o.steps IS NOT NULL AND {limits} AND {beyond} ORDER BY {walk.order()} LIMIT %s
        """,  # noqa: S608  (names of ours)
        [*source.values, *values, *place, most],
        is_planned_once=is_one,
    )
    told: list[tuple[Any, OrderRow]] = []
    places = len(walk.columns)
    for at, row in ((row[:places], row[places:]) for row in found):
        account, instrument, decision, name, lots, filled, price, fee = row[:8]
        steps, done, is_unknown, kind, code, text = row[8:14]
        accepted = row[14 + 3] is not None
        state = state_of(steps, done, is_unknown=bool(is_unknown), kind=kind, approved=row[15], accepted=accepted)
        average = None if price is None else float(price)
        why = why_ended(kind, code, text)
        sized = (_number(lots), _number(filled), average, float(fee))
        told.append((at, OrderRow(account, instrument, decision, name, *sized, state, why, *row[14:])))
    return told


def fills(scope: Scope, most: int) -> list[FillRow]:
    """Return fills, newest first."""
    return [row for _, row in fills_from(scope, most)]


def fills_from(
    scope: Scope, most: int, after: FillPlace | None = None, *, is_rising: bool = False
) -> list[tuple[FillPlace, FillRow]]:
    """Return fills with their places, after the one at `after`: newest first, or oldest first."""
    columns = Columns(set="f.book", instrument="f.instrument", day="f.day", at_ns="f.filled_at_ns")
    limits, values = where(scope, columns)
    walk, few = Walk(_FILL_PLACE, after, is_rising), few_of(scope)
    return _fills(limits, values, most, walk, of_each(_FILLS, (limits, values), walk, few, most) if few else None)


def log_fills(scope: Scope, condition: str, more: list[Any], most: int) -> list[tuple[FillPlace, FillRow]]:
    """Return fills for which a condition holds, in the order of execution's log, shard by shard."""
    limits, values = where(scope, Columns(set="f.book", instrument="f.instrument", at_ns="f.filled_at_ns"))
    return _fills(f"{limits} AND {condition}", [*values, *more], most, Walk(_FILL_PLACE[1:], is_rising=True))


def fills_of(order: OrderRow) -> list[tuple[FillPlace, FillRow]]:
    """Return the fills of an order with their places, newest first."""
    limits = "a.id = %s AND f.instrument = %s AND f.decision = %s AND f.kind = 0"
    values: list[Any] = [order.account, order.instrument, order.decision]
    return _fills(limits, values, _OF_AN_ORDER_MAX, Walk(_FILL_PLACE), is_of_one=True)


def _fills(
    limits: str, values: list[Any], most: int, walk: Walk, source: Source | None = None, *, is_of_one: bool = False
) -> list[tuple[FillPlace, FillRow]]:
    beyond, after = walk.beyond()
    if source is None:  # thousands may have come at one time: whose they are is looked up for those of the page alone
        page = f"{limits} AND {beyond} ORDER BY {walk.order()} LIMIT %s"
        source = of_all(_FILLS) if "a." in limits else of_page(_FILLS, page, [*values, *after, most])
    found = rows(
        f"""
        SELECT {", ".join(_FILL_PLACE)}, f.filled_at_ns, a.id, f.instrument, f.decision, f.book, f.kind,
          f.steps * {_LOTS}, f.price_e9 / 1e9, f.amount_micro / 1e6, f.fee_micro / 1e6, f.realised_micro / 1e6,
          f.execution_id
        FROM {source.sql}
        LEFT JOIN reporting_instrument AS i ON i.id = f.instrument
        WHERE {limits} AND {beyond} ORDER BY {walk.order()} LIMIT %s
        """,  # noqa: S608  (names of ours)
        [*source.values, *values, *after, most],
        is_planned_once=is_of_one,
    )
    told: list[tuple[FillPlace, FillRow]] = []
    for row in found:
        place, (*names, kind, lots, price, amount, fee, realised, execution) = row[:6], row[6:]
        money = map(float, (price, amount, fee, realised))
        sized = None if lots is None else float(lots)
        told.append((place, FillRow._make([*names, Fill.Kind(kind).name.lower(), sized, *money, execution])))  # type: ignore[arg-type]
    return told


def signals(scope: Scope, most: int) -> list[SignalRow]:
    """Return what sets said, newest first; of an account or a client, what was said by sets that it has orders of."""
    theirs, values = where(Scope(client=scope.client, account=scope.account), Columns())
    of_theirs = (
        f"EXISTS (SELECT FROM reporting_order AS o JOIN reporting_account AS a ON a.number = o.account "
        f"WHERE o.set = s.set AND {theirs})"
    )
    found = rows(
        f"SELECT s.said_at_ns, s.body FROM reporting_signal AS s WHERE {of_theirs if values else 'true'} "  # noqa: S608  (names of ours)
        "AND (%s = '' OR s.set = %s) AND (%s = '' OR %s = ANY(s.instruments)) "
        "AND (%s::date IS NULL OR to_timestamp(s.said_at_ns / 1e9)::date = %s::date) "
        "ORDER BY s.said_at_ns DESC, s.set, s.number DESC, s.event DESC LIMIT %s",
        [*values, scope.set, scope.set, scope.instrument, scope.instrument, scope.day, scope.day, most],
    )
    told: list[SignalRow] = []
    for said_at_ns, body in found:
        message = decode_message(TargetSet.wire_name, bytes(body))
        assert isinstance(message, TargetSet)
        told += [
            SignalRow(
                said_at_ns, message.set, version, quote.instrument, "lots" if mode else "weight", value,
                quote.bid_ticks, quote.ask_ticks, message.decided_at_ns,
            )
            for quote, version, mode, value in zip(
                message.quotes, message.version.tolist(), message.mode.tolist(), message.value, strict=True
            )
            if scope.instrument in ("", quote.instrument)
        ]  # fmt: skip
    return told[:most]


def place_of(row: OrderRow) -> OrderPlace:
    """Return where an order stands among all."""
    return row.requested_at_ns or 0, row.account, row.instrument, row.decision


def state_of(
    steps: int, filled: int, *, is_unknown: bool, kind: int | None, approved: int | None, accepted: bool
) -> str:
    """Return the FIX name of an order's state; Denied is ours, Rejected the venue's. A late fill changes no end."""
    if kind is not None:
        return _ENDS[ReportKind(kind)]
    if filled == steps:
        return "Filled"
    if is_unknown:
        return "Unknown"
    if filled:
        return "PartiallyFilled"
    if accepted:
        return "New"
    return "Requested" if approved is None else "PendingNew"


def why_ended(kind: int | None, code: int | None, text: str | None) -> str:
    """Return in words why an order ended unfilled, "" where that is no question."""
    match kind:
        case ReportKind.DENIED:
            return f"risk: {named(RefusalReason, code or 0)}"
        case ReportKind.REFUSED:
            return f"edge: {named(EdgeRefusal, code or 0)}"
        case ReportKind.NEVER_ARRIVED:
            return "it never arrived"
        case _:
            return text or ""


def named(kind: type, number: int) -> str:
    """Return the name of a code: "max position" of MAX_POSITION; the number where it has none."""
    try:
        return str(kind(number).name).lower().replace("_", " ")
    except ValueError:
        return str(number)


_ENDS = {
    ReportKind.CANCELLED: "Canceled",
    ReportKind.EXPIRED: "Expired",
    ReportKind.REJECTED: "Rejected",
    ReportKind.REFUSED: "Denied",
    ReportKind.DENIED: "Denied",
    ReportKind.NEVER_ARRIVED: "Canceled",
}


REFUSED_STATES = frozenset(_ENDS[each] for each in REFUSED)
"""How orders are called that were refused: those of which there is a refusal."""


def _number(value: object) -> float:
    return 0.0 if value is None else float(value)  # type: ignore[arg-type]
