"""Refusals and skips, as people read them: newest first, unfolded from the arrays that they are kept in.

An array has thousands of accounts where a page has fifty rows: which rows they are is found first, and only for these
it is looked up whose they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from apps.execution.book_contracts import SettingLevel, SkipReason
from apps.execution.contracts import EdgeRefusal
from apps.reporting.reading import REFUSED_STATES, OrderPlace, OrderRow, named, place_of
from apps.reporting.scoping import NUMBER_OF, Columns, Scope, Walk, among, numbers_of, rows, where
from apps.risk.contracts import Level, RefusalReason


class RefusalRow(NamedTuple):
    """An order that was refused: by whom, why, at which level the limit was set, the bound and the actual value."""

    refused_at_ns: int
    account: str
    instrument: str
    decision: int
    set: str
    by: str
    reason: str
    level: str
    bound: int
    actual: int


class SkipRow(NamedTuple):
    """An account that a target gave no order, why, and the level of the setting that said so."""

    skipped_at_ns: int
    account: str
    set: str
    instrument: str
    reason: str
    level: str
    number: int


RefusalPlace = tuple[int, str, int, str, str, int]
"""Where a refusal stands among all: when it was, where in execution's log, account, instrument, decision."""
_REFUSED_IN = "r.instruments[u.instrument + 1]"
_REFUSAL_PLACE = ("r.refused_at_ns", "r.shard", "r.number", "u.account", _REFUSED_IN, "u.decision")
_LOG_PLACE = ("r.shard", "r.number", "a.id", _REFUSED_IN, "u.decision")
SkipPlace = tuple[int, str, int, int, str, str]
"""Where a skip stands among all: when it was, where in execution's log, account, instrument."""
_SKIPPED_IN = "s.instruments[u.instrument + 1]"
_SKIP_PLACE = ("s.skipped_at_ns", "s.shard", "s.number", "s.event", "u.account", _SKIPPED_IN)
_GIVEN = {"u.account": NUMBER_OF}
_OUTSIDE = {"a.id": "a.id", _REFUSED_IN: "f.instrument", _SKIPPED_IN: "f.instrument"}
_WHOSE = "JOIN reporting_account AS a ON a.number = u.account"


def refusals(scope: Scope, most: int) -> list[RefusalRow]:
    """Return refused orders, newest first."""
    return [row for _, row in refusals_from(scope, most)]


def refusals_from(
    scope: Scope, most: int, after: RefusalPlace | None = None, *, is_rising: bool = False
) -> list[tuple[RefusalPlace, RefusalRow]]:
    """Return refused orders with their places, after the one at `after`: newest first, or oldest first."""
    theirs = _theirs(scope, "r.account")
    return _refusals(*theirs, most, Walk(_REFUSAL_PLACE, after, is_rising, _GIVEN)) if theirs else []


def log_refusals(scope: Scope, condition: str, more: list[Any], most: int) -> list[tuple[RefusalPlace, RefusalRow]]:
    """Return refused orders for which a condition holds, in the order of execution's log, shard by shard."""
    return _refusals(scope, condition, more, most, Walk(_LOG_PLACE, is_rising=True))


def _refusals(
    scope: Scope, condition: str, more: list[Any], most: int, walk: Walk
) -> list[tuple[RefusalPlace, RefusalRow]]:
    beyond, place = walk.beyond()
    limits, values = where(scope, Columns(set="o.set", instrument=_REFUSED_IN, at_ns="r.refused_at_ns"))
    found = rows(
        f"""
        SELECT f.refused_at_ns, f.shard, f.number, a.id, f.instrument, f.decision,
          f.refused_at_ns, a.id, f.instrument, f.decision, COALESCE(o.set, ''), f.by, f.reason, f.level, f.bound,
          f.actual, f.texts
        FROM (
            SELECT r.refused_at_ns, r.shard, r.number, u.account, {_REFUSED_IN} AS instrument, u.decision, r.by,
              u.reason, u.level, u.bound, u.actual, r.texts
            FROM reporting_refusal AS r
            CROSS JOIN LATERAL unnest(r.account, r.instrument, r.decision, r.reason, r.level, r.bound, r.actual)
              AS u(account, instrument, decision, reason, level, bound, actual)
            {_whose(limits, walk)}
            {f"JOIN {_order_of('u', _REFUSED_IN)}" if scope.set else ""}
            WHERE {limits} AND {condition} AND {beyond} ORDER BY {walk.order()} LIMIT %s
        ) AS f JOIN reporting_account AS a ON a.number = f.account
        LEFT JOIN {_order_of("f", "f.instrument")} ORDER BY {_order_outside(walk)}
        """,  # noqa: S608  (names of ours)
        [*values, *more, *place, most],
    )
    return [(row[:6], _refusal_row(row[6:])) for row in found]  # type: ignore[misc]


def _theirs(scope: Scope, array: str) -> tuple[Scope, str, list[Any]] | None:
    """Return a scope without its accounts, and SQL that holds for their rows, `u`, with its parameters; None: of none.

    Of many accounts it is the scope that says whose rows are meant.
    """
    numbers = numbers_of(scope)
    if numbers is None:
        return scope, "true", []
    return (replace(scope, client="", account=""), *among(array, "u.account", numbers)) if numbers else None


def _whose(limits: str, walk: Walk) -> str:
    """Return the join with accounts before a page is cut, where it is their columns that limit or order rows."""
    return _WHOSE if "a." in f"{limits} {walk.order()}" else ""


def _order_outside(walk: Walk) -> str:
    """Return the order of rows outside the page that was cut, where they are called `f`."""
    return walk.order(*(_OUTSIDE.get(each, f"f.{each[2:]}") for each in walk.columns))


def _order_of(row: str, instrument: str) -> str:
    return (
        f"reporting_order AS o ON o.account = {row}.account AND o.decision = {row}.decision "
        f"AND o.instrument = {instrument}"
    )


def refusals_of(asked: Sequence[OrderRow]) -> dict[OrderPlace, RefusalRow]:
    """Return by whom orders were refused, and why, by their places; those that were not are left out.

    An order ends with its refusal, so that it stands in the read models at the time at which the order ended.
    """
    ended = [each for each in asked if each.state in REFUSED_STATES and each.ended_at_ns is not None]
    if not ended:
        return {}
    times = [each.ended_at_ns or 0 for each in ended]
    found = rows(
        """
        WITH asked AS MATERIALIZED (
            SELECT a.number, w.* FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[])
              AS w(account, instrument, decision, set, ended_at_ns)
            JOIN reporting_account AS a ON a.id = w.account
        ), refused AS MATERIALIZED (  -- each array is unfolded once, however many of its rows are asked for
            SELECT r.refused_at_ns, r.by, r.texts, r.instruments[u.instrument + 1] AS instrument, u.account, u.decision,
              u.reason, u.level, u.bound, u.actual
            FROM reporting_refusal AS r
            CROSS JOIN LATERAL unnest(r.account, r.instrument, r.decision, r.reason, r.level, r.bound, r.actual)
              AS u(account, instrument, decision, reason, level, bound, actual)
            WHERE r.at BETWEEN to_timestamp(%s) AND to_timestamp(%s) AND r.refused_at_ns = ANY(%s)
              AND u.account = ANY(ARRAY(SELECT number FROM asked))
        )
        SELECT r.refused_at_ns, w.account, w.instrument, w.decision, w.set, r.by, r.reason, r.level, r.bound, r.actual,
          r.texts
        FROM refused AS r JOIN asked AS w ON w.number = r.account AND w.decision = r.decision
          AND w.ended_at_ns = r.refused_at_ns AND w.instrument = r.instrument
        """,
        [
            [each.account for each in ended], [each.instrument for each in ended], [each.decision for each in ended],
            [each.set for each in ended], times, min(times) / 1e9 - 1, max(times) / 1e9 + 1, sorted(set(times)),
        ],
    )  # fmt: skip
    told = {(row[1], row[2], row[3]): _refusal_row(row) for row in found}
    return {
        place_of(each): told[each.account, each.instrument, each.decision]
        for each in ended
        if (each.account, each.instrument, each.decision) in told
    }


def skips(scope: Scope, most: int) -> list[SkipRow]:
    """Return accounts that targets gave no order, newest first."""
    return [row for _, row in skips_from(scope, most)]


def skips_from(
    scope: Scope, most: int, after: SkipPlace | None = None, *, is_rising: bool = False
) -> list[tuple[SkipPlace, SkipRow]]:
    """Return accounts that targets gave no order, with their places, after the one at `after`."""
    theirs = _theirs(scope, "s.account")
    if theirs is None:
        return []
    of, condition, more = theirs
    walk = Walk(_SKIP_PLACE, after, is_rising, _GIVEN)
    beyond, place = walk.beyond()
    limits, values = where(of, Columns(set="s.set", instrument=_SKIPPED_IN, at_ns="s.skipped_at_ns"))
    found = rows(
        f"""
        SELECT f.skipped_at_ns, f.shard, f.number, f.event, a.id, f.instrument,
          f.skipped_at_ns, a.id, f.set, f.instrument, f.reason, f.level, f.number
        FROM (
            SELECT s.skipped_at_ns, s.shard, s.number, s.event, u.account, s.set, {_SKIPPED_IN} AS instrument,
              u.reason, u.level
            FROM reporting_skip AS s CROSS JOIN LATERAL unnest(s.account, s.instrument, s.reason, s.level)
              AS u(account, instrument, reason, level)
            {_whose(limits, walk)}
            WHERE {limits} AND {condition} AND {beyond} ORDER BY {walk.order()} LIMIT %s
        ) AS f JOIN reporting_account AS a ON a.number = f.account ORDER BY {_order_outside(walk)}
        """,  # noqa: S608  (names of ours)
        [*values, *more, *place, most],
    )
    return [(row[:6], _skip_row(row[6:])) for row in found]  # type: ignore[misc]


def _skip_row(row: tuple[Any, ...]) -> SkipRow:
    return SkipRow._make([*row[:4], named(SkipReason, row[4]), named(SettingLevel, row[5]) if row[5] else "", row[6]])


def _refusal_row(row: tuple[Any, ...]) -> RefusalRow:
    return RefusalRow._make([*row[:6], *_refused(row[5], row[6], row[7], row[10]), *row[8:10]])


def _refused(by: str, reason: int, level: int, texts: list[str]) -> tuple[str, str]:
    if by == "risk":
        return named(RefusalReason, reason), named(Level, level)
    if by == "edge":
        return named(EdgeRefusal, reason), ""
    return texts[reason - 1] if 0 < reason <= len(texts) else str(reason), ""
