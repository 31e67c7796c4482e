"""Signals as sets said them, one after the other, and what became of each."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from apps.execution.book_contracts import SkipReason
from apps.reporting.models import CANCELLED, REFUSED
from apps.reporting.reading import named, why_ended
from apps.reporting.scoping import Columns, Scope, Walk, rows, where
from apps.signals.contracts import TargetSet
from banyan.codec import decode_message

SignalPlace = tuple[int, str, int, int]
"""Where a signal stands among all: when it was said, by which set, and where in the set's log."""
_ENTRIES = ("market", "limit", "stop", "stop limit")
_PLACE = ("s.said_at_ns", "s.set", "s.number", "s.event")


class Wanted(NamedTuple):
    """What a signal wants of an instrument: `value` is a share of equity or lots, as `mode` says; None: no price."""

    instrument: str
    version: int
    mode: str
    value: float
    entry: str
    price: float | None
    limit_price: float | None
    stop_loss: float | None
    take_profit: float | None
    trail: float | None


class Said(NamedTuple):
    """A signal: `number` is that of its record in the set's log."""

    said_at_ns: int
    set: str
    number: int
    set_version: int
    decided_at_ns: int
    targets: list[Wanted]


class Outcome(NamedTuple):
    """What became of a signal so far: orders by how they stand, and accounts that it gave none, with the reasons."""

    orders: int
    working: int
    filled: int
    refused: int
    cancelled: int
    unknown: int
    skipped: int
    refusals: list[tuple[str, int]]
    skips: list[tuple[str, int]]


def signals_from(
    scope: Scope, most: int, after: SignalPlace | None = None, *, is_rising: bool = False
) -> list[tuple[SignalPlace, Said]]:
    """Return signals with their places, after the one at `after`: newest first, or oldest first."""
    return _signals(scope, "true", [], most, Walk(_PLACE, after, is_rising))


def log_signals(scope: Scope, condition: str, more: list[Any], most: int) -> list[tuple[SignalPlace, Said]]:
    """Return signals for which a condition holds, in the order of the logs, set by set."""
    return _signals(scope, condition, more, most, Walk(_PLACE[1:], is_rising=True))


def _signals(scope: Scope, condition: str, more: list[Any], most: int, walk: Walk) -> list[tuple[SignalPlace, Said]]:
    assert scope.client == scope.account == "", "signals are the firm's: an account has its orders and skips"
    limits, values = where(
        Scope(set=scope.set, since_ns=scope.since_ns, until_ns=scope.until_ns),
        Columns(set="s.set", at_ns="s.said_at_ns"),
    )
    beyond, place = walk.beyond()
    found = rows(
        f"SELECT {', '.join(_PLACE)}, s.set_version, s.decided_at_ns, s.body FROM reporting_signal AS s "  # noqa: S608  (names of ours)
        f"WHERE {limits} AND (%s = '' OR %s = ANY(s.instruments)) AND {condition} AND {beyond} "
        f"ORDER BY {walk.order()} LIMIT %s",
        [*values, scope.instrument, scope.instrument, *more, *place, most],
    )
    return [
        ((said_at_ns, name, number, event), Said(said_at_ns, name, number, version, decided_at_ns, _wanted(body)))
        for said_at_ns, name, number, event, version, decided_at_ns, body in found
    ]


def signal(set_name: str, number: int) -> Said | None:
    """Return the signal of a record of a set's log, if there is one."""
    found = _signals(Scope(set=set_name), "s.number = %s", [number], 1, Walk(_PLACE))
    return next((said for _, said in found), None)


def outcome_of(said: Said) -> Outcome:
    """Return what became of a signal: its orders were signalled when it was said."""
    ends: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    found = rows(
        "SELECT end_kind, end_code, end_text, COALESCE(is_unknown, false), filled_steps = steps, count(*) "
        "FROM reporting_order WHERE set = %s AND signalled_at_ns = %s AND steps IS NOT NULL GROUP BY 1, 2, 3, 4, 5",
        [said.set, said.said_at_ns],
    )
    for kind, code, text, is_unknown, is_filled, count in found:
        if kind is None:
            ends["filled" if is_filled else "unknown" if is_unknown else "working"] += count
        elif kind in REFUSED:
            ends["refused"] += count
            refusals[why_ended(kind, code, text)] += count
        else:
            assert kind in CANCELLED, f"an order ends filled, refused or cancelled, not by {kind}"
            ends["cancelled"] += count
    skips = rows(
        "SELECT u.reason, count(*) FROM reporting_skip AS s CROSS JOIN LATERAL unnest(s.reason) AS u(reason) "
        "WHERE s.set = %s AND s.signalled_at_ns = %s GROUP BY 1",
        [said.set, said.said_at_ns],
    )
    told = {name: ends[name] for name in ("working", "filled", "refused", "cancelled", "unknown")}
    return Outcome(
        orders=ends.total(),
        **told,
        skipped=sum(count for _, count in skips),
        refusals=_most_first(refusals.items()),
        skips=_most_first((named(SkipReason, reason), count) for reason, count in skips),
    )


def _most_first(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda each: (-each[1], each[0]))


def _wanted(body: bytes) -> list[Wanted]:
    message = decode_message(TargetSet.wire_name, bytes(body))
    assert isinstance(message, TargetSet)
    columns = zip(
        message.quotes, message.version.tolist(), message.mode.tolist(), message.value, message.entry.tolist(),
        message.price, message.limit_price, message.stop_loss, message.take_profit, message.trail,
        strict=True,
    )  # fmt: skip
    return [
        Wanted(quote.instrument, version, "lots" if mode else "weight", value, _ENTRIES[entry], *prices)
        for quote, version, mode, value, entry, *prices in columns
    ]
