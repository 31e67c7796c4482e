"""What came to the read models, in the order of the logs: for those who listen, and come back."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apps.reporting.earnings import PositionRow, positions_of
from apps.reporting.overview import marks
from apps.reporting.reading import FillRow, OrderRow, RefusalRow, log_changes, log_fills, log_refusals
from apps.reporting.scoping import Scope, rows
from apps.reporting.signalled import Said, log_signals


class FeedEventRow(NamedTuple):
    """What happened to a feed: it is stale or back, a gap, a record that was not let in."""

    said_at_ns: int
    feed: str
    what: str
    instrument: str
    detail: str


Place = tuple[Any, ...]
"""The last row that was heard of a log: its record, and where in it; the record alone: all of it was."""
Places = Mapping[str, Place]


def log_marks(source: str = "execution") -> dict[str, Place]:
    """Return how far each log of a source has been read: all rows up to there are in the read models."""
    return {key: (number,) for key, number in marks().get(source, {}).items()}


def clients_of(accounts: Sequence[str]) -> dict[str, str]:
    """Return the client of each of some accounts."""
    found = rows("SELECT id, client FROM reporting_account WHERE id = ANY(%s)", [list(accounts)])
    return dict(found)


def fills_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, FillRow]]:
    """Return fills after places and up to marks, by shard, each with its shard and its place there."""
    condition, values = _between("f", ("event", "row", "part"), "bigint", after, upto)
    return [(place[1], place[2:], row) for place, row in log_fills(scope, condition, values, most)]


def positions_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, PositionRow]]:
    """Return the positions that fills after places have changed, as they are now, at the places of the fills."""
    found = fills_onward(scope, after, upto, most)
    wanted = [(row.account, row.book, row.instrument) for *_, row in found]
    held = positions_of(scope, sorted(set(wanted)))
    return [(shard, place, held[key]) for (shard, place, _), key in zip(found, wanted, strict=True)]


def orders_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, OrderRow]]:
    """Return the orders that have changed after places, as they are now, as `fills_onward` returns fills."""
    condition, values = _within("c", "o.instrument", "o.decision", after, upto)
    return [(at[0], at[1:], row) for at, row in log_changes(scope, condition, values, most)]


def refusals_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, RefusalRow]]:
    """Return refused orders as `fills_onward` returns fills."""
    condition, values = _within("r", "r.instruments[u.instrument + 1]", "u.decision", after, upto)
    return [(place[1], place[2:], row) for place, row in log_refusals(scope, condition, values, most)]


def signals_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, Said]]:
    """Return signals as `fills_onward` returns fills, by set: a place is a record of its log, and where in it."""
    condition, values = _between("s", ("event",), "bigint", after, upto, key="set")
    return [(at[1], at[2:], said) for at, said in log_signals(scope, condition, values, most)]


def feed_events_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, FeedEventRow]]:
    """Return what happened to feeds as `fills_onward` returns fills, by feed."""
    condition, values = _between("e", ("event",), "bigint", after, upto, key="feed")
    found = rows(
        "SELECT e.feed, e.number, e.event, e.said_at_ns, e.feed, e.what, e.instrument, e.detail "  # noqa: S608
        f"FROM reporting_feedevent AS e WHERE (%s = '' OR e.instrument = %s) AND {condition} "
        "ORDER BY e.feed, e.number, e.event LIMIT %s",
        [scope.instrument, scope.instrument, *values, most],
    )
    return [(row[0], row[1:3], FeedEventRow._make(row[3:])) for row in found]


def places_at(
    table: str, time: str, since_ns: int, key: str = "shard", source: str = "execution"
) -> dict[str, Place]:  # fmt: skip
    """Return the places before the first row of a time: what came earlier is left out, and is not looked at."""
    found = rows(f"SELECT {key}, min(number) - 1 FROM {table} WHERE {time} >= %s GROUP BY {key}", [since_ns])  # noqa: S608
    return log_marks(source) | {name: (number,) for name, number in found}


def _within(table: str, instrument: str, decision: str, after: Places, upto: Places) -> tuple[str, list[Any]]:
    """Return SQL that holds for orders in a table's rows between places, which may be within a record."""
    condition, values = _between(table, (), "", after, upto)
    parts = {shard: place for shard, place in after.items() if len(place) > 1}
    if parts:
        columns = [[shard, *place] for shard, place in parts.items()]
        condition += (
            " OR EXISTS (SELECT FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[]) "
            f"AS w(shard, number, account, instrument, decision) WHERE {table}.shard = w.shard "
            f"AND {table}.number = w.number "
            f"AND (a.id, {instrument}, {decision}) > (w.account, w.instrument, w.decision))"
        )
        values += [list(column) for column in zip(*columns, strict=True)]
    return f"({condition})", values


def _between(
    table: str, part: Sequence[str], kind: str, after: Places, upto: Places, key: str = "shard"
) -> tuple[str, list[Any]]:
    """Return SQL that holds for rows of a table between places, and its parameters."""
    shards = sorted(upto)
    befores = [after.get(shard, (0,)) for shard in shards]
    columns: list[list[Any]] = [shards, [place[0] for place in befores], [upto[shard][0] for shard in shards]]
    columns += [[place[at + 1] if len(place) > 1 else None for place in befores] for at in range(len(part))]
    kinds = ["text", "bigint", "bigint", *[kind] * len(part)]
    arrays = ", ".join(f"%s::{each}[]" for each in kinds)
    names = ", ".join(["shard", "number", "upto", *part])
    beyond = f"{table}.number > w.number"
    if part:
        row, place = (", ".join(f"{of}.{name}" for name in part) for of in (table, "w"))
        beyond = f"({beyond} OR ({table}.number = w.number AND ({row}) > ({place})))"
    condition = (
        f"EXISTS (SELECT FROM unnest({arrays}) AS w({names}) WHERE {table}.{key} = w.shard "
        f"AND {table}.number BETWEEN w.number AND w.upto AND {beyond})"
    )
    return condition, columns
