"""What came to the read models, in the order of execution's log: for those who listen, and come back."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.reporting.overview import marks
from apps.reporting.reading import FillRow, RefusalRow, log_fills, log_refusals
from apps.reporting.scoping import Scope, rows

Place = tuple[Any, ...]
"""The last row that was heard of a shard: its record, and where in it; the record alone: all of it was."""
Places = Mapping[str, Place]


def log_marks() -> dict[str, Place]:
    """Return how far each shard's log has been read: all rows up to there are in the read models."""
    return {shard: (number,) for shard, number in marks().get("execution", {}).items()}


def fills_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, FillRow]]:
    """Return fills after places and up to marks, by shard, each with its shard and its place there."""
    condition, values = _between("f", ("event", "row", "part"), "bigint", after, upto)
    return [(place[1], place[2:], row) for place, row in log_fills(scope, condition, values, most)]


def refusals_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, RefusalRow]]:
    """Return refused orders as `fills_onward` returns fills."""
    condition, values = _between("r", (), "", after, upto)
    if any(len(place) > 1 for place in after.values()):
        parts = {shard: place for shard, place in after.items() if len(place) > 1}
        columns = [[shard, *place] for shard, place in parts.items()]
        condition += (
            " OR EXISTS (SELECT FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[]) "
            "AS w(shard, number, account, instrument, decision) WHERE r.shard = w.shard AND r.number = w.number "
            "AND (a.id, r.instruments[u.instrument + 1], u.decision) > (w.account, w.instrument, w.decision))"
        )
        values += [list(column) for column in zip(*columns, strict=True)]
    return [(place[1], place[2:], row) for place, row in log_refusals(scope, f"({condition})", values, most)]


def places_at(table: str, time: str, since_ns: int) -> dict[str, Place]:
    """Return the places before the first row of a time: what came earlier is left out."""
    found = rows(f"SELECT shard, max(number) FROM {table} WHERE {time} < %s GROUP BY shard", [since_ns])  # noqa: S608
    return {shard: (number,) for shard, number in found}


def _between(table: str, part: Sequence[str], kind: str, after: Places, upto: Places) -> tuple[str, list[Any]]:
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
        f"EXISTS (SELECT FROM unnest({arrays}) AS w({names}) WHERE {table}.shard = w.shard "
        f"AND {table}.number BETWEEN w.number AND w.upto AND {beyond})"
    )
    return condition, columns
