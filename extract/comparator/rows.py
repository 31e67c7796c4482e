"""Events as rows by (account, instrument), and the rows of two sides against each other."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec
import numpy as np

from banyan.codec import decode_message
from banyan.messages import Message
from extract.comparator.shapes import Shape

NOBODY = -1
Encoded = Sequence[tuple[str, bytes]]


class Place(NamedTuple):
    """What a row is about; `repeat` tells those apart that are about the same."""

    family: str
    account: int
    instrument: str
    repeat: int


class Row(NamedTuple):
    """A row of an event."""

    event: str
    fields: dict[str, Any]


class Allowance(NamedTuple):
    """A rule that holds now: the field of an event may differ, by `tolerance` at most where one is given."""

    name: str
    event: str
    field: str
    tolerance: int | None = None


class Difference(NamedTuple):
    """A row in which the sides differ. `fields` gives [the leader's, the follower's]."""

    kind: str
    event: str
    account: int
    instrument: str
    fields: dict[str, list[Any]]
    lots: float = 0.0
    money: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What came of comparing one record."""

    matched: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """Return how many differences of a kind there are."""
        return sum(each.kind == kind for each in self.differences)


def rows_of(events: Encoded, shape: Shape) -> dict[Place, Row]:
    """Return the rows of events. Raises CodecError for an event that cannot be read."""
    found: dict[Place, Row] = {}
    repeats: Counter[tuple[str, int, str]] = Counter()
    for name, body in events:
        for family, account, instrument, fields in _placed(decode_message(name, body), name, shape):
            about = family, account, instrument
            found[Place(*about, repeats[about])] = Row(name, fields)
            repeats[about] += 1
    return found


def compare(
    leaders: Encoded, followers: Encoded, shape: Shape, allowed: Sequence[Allowance] = (), cause: Message | None = None
) -> Outcome:
    """Compare what both sides gave for one input. Raises CodecError where one cannot be read."""
    ours, theirs = rows_of(leaders, shape), rows_of(followers, shape)
    outcome = Outcome()
    for place in ours | theirs:
        one, other = ours.get(place), theirs.get(place)
        fields = _differing(one, other, allowed, outcome.ignored)
        if not fields:
            outcome.matched += 1
            continue
        kind = "missing" if other is None else "extra" if one is None else "mismatched"
        row = one or other
        assert row is not None
        lots, money = shape.weigh(
            cause, place.account, place.instrument, one.fields if one else {}, other.fields if other else {}
        )
        outcome.differences.append(Difference(kind, row.event, place.account, place.instrument, fields, lots, money))
    return outcome


def _differing(
    one: Row | None, other: Row | None, allowed: Sequence[Allowance], ignored: Counter[str]
) -> dict[str, list[Any]]:
    ours, theirs = _with_event(one), _with_event(other)
    found = {}
    for name in sorted(ours | theirs):
        pair = [ours.get(name), theirs.get(name)]
        if pair[0] == pair[1]:
            continue
        event = (one or other or Row("", {})).event
        rule = next((each for each in allowed if _allows(each, event, name, pair)), None)
        if rule is None:
            found[name] = pair
        else:
            ignored[rule.name] += 1
    return found


def _allows(rule: Allowance, event: str, name: str, pair: Sequence[Any]) -> bool:
    if not (fnmatchcase(event, rule.event) and fnmatchcase(name, rule.field)):
        return False
    if rule.tolerance is None:
        return True
    return all(isinstance(each, int) for each in pair) and abs(pair[0] - pair[1]) <= rule.tolerance


def _with_event(row: Row | None) -> dict[str, Any]:
    return {} if row is None else {"event": row.event, **row.fields}


def _placed(message: Message, name: str, shape: Shape) -> Iterator[tuple[str, int, str, dict[str, Any]]]:
    """Yield (family, account, instrument, fields) of the rows of an event."""
    if name in shape.unfolded:
        for instrument, fields in shape.unfolded[name](message).items():
            yield name, NOBODY, instrument, dict(fields)
        return
    if name not in shape.listed:
        for row in _rows(message, shape):
            yield shape.families.get(name, name), *row
        return
    held = {each: getattr(message, each) for each in message.__struct_fields__}
    instruments, about = held.pop("instruments"), " ".join(str(held[each]) for each in shape.listed[name])
    columns, rest = _columns(held, len(instruments), shape)
    for at, instrument in enumerate(instruments):
        yield f"{name} {about}", NOBODY, instrument, rest | {each: int(column[at]) for each, column in columns.items()}


def _rows(message: Message, shape: Shape) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield (account, instrument, fields) of the rows of an event; one without columns by account is one row."""
    held = {name: getattr(message, name) for name in message.__struct_fields__}
    accounts = held.pop("account", NOBODY)
    if not isinstance(accounts, np.ndarray):
        number = held.get("number", NOBODY) if isinstance(accounts, str) else accounts
        yield int(number), str(held.get("instrument", "")), {name: _plain(value) for name, value in held.items()}
        return
    names, at = held.pop("instruments", None), held.pop("instrument", np.zeros(0, np.int64))
    if names is None:
        names = [each.id for each in held.get("terms", ())]
    columns, rest = _columns(held, accounts.size, shape)
    for row in range(accounts.size):
        instrument = names[int(at[row]) if at.size else 0] if names else ""
        yield int(accounts[row]), instrument, rest | {name: int(values[row]) for name, values in columns.items()}


def _columns(held: Mapping[str, Any], count: int, shape: Shape) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the columns that have a value for each row, and what all rows have in common."""
    tables = set(shape.lookups.values())
    columns, rest = {}, {}
    for name, value in held.items():
        if name in tables:
            continue
        if not isinstance(value, np.ndarray) or value.size not in (0, 1, count):
            rest[name] = _plain(value)
        else:
            column = value if value.size == count else np.broadcast_to(value if value.size else np.int64(0), count)
            if name in shape.lookups:
                table = held[shape.lookups[name]]
                column = table[column] if table.size else np.zeros(count, np.int64)
            columns[name] = column
    return columns, rest


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else msgspec.to_builtins(value, enc_hook=np.ndarray.tolist)
