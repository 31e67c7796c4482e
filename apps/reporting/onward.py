"""What came to the read models, in the order of the logs: for those who listen, and come back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from apps.reporting.earnings import PositionRow, positions_of
from apps.reporting.overview import marks
from apps.reporting.reading import FillRow, OrderRow, log_changes, log_fills
from apps.reporting.scoping import Scope, rows
from apps.reporting.signalled import Said, log_signals
from apps.reporting.unfolding import RefusalRow, log_refusals


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

    def read(log: _Log, left: int) -> list[tuple[str, Place, FillRow]]:
        condition, values = log.between("f", "f.event", "f.row", "f.part")
        return [(place[1], place[2:], row) for place, row in log_fills(scope, condition, values, left)]

    return _log_by_log(read, after, upto, most)


def positions_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, PositionRow]]:
    """Return the positions that fills after places have changed, as they are now, at the places of the fills."""
    found = fills_onward(scope, after, upto, most)
    wanted = [(row.account, row.book, row.instrument) for *_, row in found]
    held = positions_of(scope, sorted(set(wanted)))
    return [(shard, place, held[key]) for (shard, place, _), key in zip(found, wanted, strict=True)]


def orders_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, OrderRow]]:
    """Return the orders that have changed after places, as they are now, as `fills_onward` returns fills."""

    def read(log: _Log, left: int) -> list[tuple[str, Place, OrderRow]]:
        condition, values = log.between("c", "a.id", "o.instrument", "o.decision")
        return [(at[0], at[1:], row) for at, row in log_changes(scope, condition, values, left)]

    return _log_by_log(read, after, upto, most)


def refusals_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, RefusalRow]]:
    """Return refused orders as `fills_onward` returns fills."""

    def read(log: _Log, left: int) -> list[tuple[str, Place, RefusalRow]]:
        condition, values = log.between("r", "a.id", "r.instruments[u.instrument + 1]", "u.decision")
        return [(place[1], place[2:], row) for place, row in log_refusals(scope, condition, values, left)]

    return _log_by_log(read, after, upto, most)


def signals_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, Said]]:
    """Return signals as `fills_onward` returns fills, by set: a place is a record of its log, and where in it."""

    def read(log: _Log, left: int) -> list[tuple[str, Place, Said]]:
        condition, values = log.between("s", "s.event", key="set")
        return [(at[1], at[2:], said) for at, said in log_signals(scope, condition, values, left)]

    return _log_by_log(read, after, upto, most)


def feed_events_onward(scope: Scope, after: Places, upto: Places, most: int) -> list[tuple[str, Place, FeedEventRow]]:
    """Return what happened to feeds as `fills_onward` returns fills, by feed."""

    def read(log: _Log, left: int) -> list[tuple[str, Place, FeedEventRow]]:
        condition, values = log.between("e", "e.event", key="feed")
        found = rows(
            "SELECT e.feed, e.number, e.event, e.said_at_ns, e.feed, e.what, e.instrument, e.detail "  # noqa: S608  (names of ours)
            f"FROM reporting_feedevent AS e WHERE (%s = '' OR e.instrument = %s) AND {condition} "
            "ORDER BY e.feed, e.number, e.event LIMIT %s",
            [scope.instrument, scope.instrument, *values, left],
        )
        return [(row[0], row[1:3], FeedEventRow._make(row[3:])) for row in found]

    return _log_by_log(read, after, upto, most)


def places_at(
    table: str, time: str, since_ns: int, key: str = "shard", source: str = "execution"
) -> dict[str, Place]:  # fmt: skip
    """Return the places before the first row of a time: what came earlier is left out, and is not looked at."""
    found = rows(f"SELECT {key}, min(number) - 1 FROM {table} WHERE {time} >= %s GROUP BY {key}", [since_ns])  # noqa: S608  (names of ours)
    return log_marks(source) | {name: (number,) for name, number in found}


class _Log(NamedTuple):
    """A part of a log: what comes after a place, up to a record."""

    name: str
    after: Place
    upto: int

    def between(self, table: str, *part: str, key: str = "shard") -> tuple[str, list[Any]]:
        """Return SQL that holds for a table's rows of it, and its parameters; `part` is a row's place in a record.

        It names one log and its records, so that they are read off the table's key, however long the log is.
        """
        number, *place = self.after
        condition = f"{table}.{key} = %s AND {table}.number BETWEEN %s AND %s"
        values: list[Any] = [self.name, number if place else number + 1, self.upto]
        if place:
            condition += f" AND ({table}.number > %s OR ({', '.join(part)}) > ({', '.join(['%s'] * len(part))}))"
            values += [number, *place]
        return condition, values


def _log_by_log(read: Callable[[_Log, int], list[Any]], after: Places, upto: Places, most: int) -> list[Any]:
    """Return what is read of the logs of which there is more than a place, one after the other."""
    found: list[Any] = []
    for name in sorted(upto):
        log = _Log(name, after.get(name, (0,)), upto[name][0])
        if len(found) < most and log.after != (log.upto,):
            found += read(log, most - len(found))
    return found
