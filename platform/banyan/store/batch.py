"""What a host wants to become true together, and the one statement that makes it so.

The statement moves each key's row by compare-and-set on (epoch, number, leading or not) and writes only what belongs to
keys that moved: a key that somebody else has taken is dropped alone, and the others of the batch commit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from banyan.compression import compress
from banyan.store.arrays import array_of, double_of
from banyan.store.connection import SOON

_MOVED = """moved AS (
    UPDATE banyan_key AS k SET number = v.number, is_leading = v.stays, lease_until = now() + make_interval(secs => $1)
    FROM unnest({arrays}) AS v(key, epoch, old, number, leads, stays){soon}
    WHERE k.key = v.key AND k.epoch = v.epoch AND k.number = v.old AND k.is_leading = v.leads RETURNING k.key)"""


_KEYS = ("text", "bigint", "bigint", "bigint", "bool", "bool")


class Step(NamedTuple):
    """A row of the log; `epoch` is its leader's."""

    key: str
    number: int
    received_at_ns: int
    header: bytes
    body: bytes
    events: bytes
    epoch: int = 0


class Output(NamedTuple):
    """A row of the outbox."""

    receiver: str
    receiver_key: str
    key: str
    position: int
    previous: int
    epoch: int


class DeadLetter(NamedTuple):
    """An input, or rows of it, that could not be processed; `rows` and `accounts` are JSON arrays, or None."""

    key: str
    number: int
    reason: str
    rows: str | None
    accounts: str | None
    header: bytes
    body: bytes


class _Table(NamedTuple):
    """How the rows of one part of a batch are written; {rows} stands for the part's rows that belong to moved keys."""

    columns: tuple[tuple[str, str], ...]
    statement: str

    @property
    def kinds(self) -> list[str]:
        """The types of the columns."""
        return [kind for _, kind in self.columns]


_TABLES = {
    "steps": _Table(
        (
            ("key", "text"),
            ("number", "bigint"),
            ("received_at_ns", "bigint"),
            ("header", "bytea"),
            ("body", "bytea"),
            ("events", "bytea"),
            ("epoch", "bigint"),
        ),
        "INSERT INTO banyan_log (key, number, received_at_ns, header, body, events, epoch, written_at) "
        "SELECT r.*, now() {rows}",
    ),
    "outputs": _Table(
        (
            ("receiver", "text"),
            ("receiver_key", "text"),
            ("key", "text"),
            ("position", "bigint"),
            ("previous", "bigint"),
            ("epoch", "bigint"),
        ),
        "INSERT INTO banyan_outbox (receiver, receiver_key, key, position, previous, epoch, written_at) "
        "SELECT r.*, now() {rows}",
    ),
    "streams": _Table(
        (("key", "text"), ("receiver", "text"), ("receiver_key", "text"), ("position", "bigint")),
        "INSERT INTO banyan_stream AS s (key, receiver, receiver_key, position) SELECT r.* {rows} "
        "ON CONFLICT (key, receiver, receiver_key) DO UPDATE SET position = EXCLUDED.position",
    ),
    "marks": _Table(
        (("key", "text"), ("sender", "text"), ("sender_key", "text"), ("epoch", "bigint"), ("position", "bigint")),
        "INSERT INTO banyan_mark AS s (key, sender, sender_key, epoch, position) SELECT r.* {rows} "
        "ON CONFLICT (key, sender, sender_key) DO UPDATE SET epoch = EXCLUDED.epoch, position = EXCLUDED.position",
    ),
    "places": _Table(
        (("key", "text"), ("topic", "text"), ("partition", "integer"), ("next_offset", "bigint")),
        "INSERT INTO banyan_place AS s (key, topic, partition, next_offset) SELECT r.* {rows} "
        "ON CONFLICT (key, topic, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset",
    ),
    "seen": _Table(
        (("key", "text"), ("id", "text")),
        "INSERT INTO banyan_seen (key, id, seen_at) SELECT r.*, now() {rows}",
    ),
    "requests_gone": _Table(
        (("key", "text"), ("id", "text")),
        "DELETE FROM banyan_request AS s USING (SELECT r.* {rows}) AS g WHERE s.id = g.id",
    ),
    "timers_set": _Table(
        (("key", "text"), ("name", "text"), ("due_ns", "bigint")),
        "INSERT INTO banyan_timer AS s (key, name, due_ns) SELECT r.* {rows} "
        "ON CONFLICT (key, name) DO UPDATE SET due_ns = EXCLUDED.due_ns",
    ),
    "timers_gone": _Table(
        (("key", "text"), ("name", "text")),
        "DELETE FROM banyan_timer AS s USING (SELECT r.* {rows}) AS g WHERE s.key = g.key AND s.name = g.name",
    ),
    "dead_letters": _Table(
        (
            ("key", "text"),
            ("number", "bigint"),
            ("reason", "text"),
            ("rows", "text"),
            ("accounts", "text"),
            ("header", "bytea"),
            ("body", "bytea"),
        ),
        "INSERT INTO banyan_deadletter (key, number, reason, rows, accounts, header, body, parked_at, status) "
        "SELECT r.key, r.number, r.reason, r.rows::jsonb, r.accounts::jsonb, r.header, r.body, now(), 'open' {rows}",
    ),
}


@dataclass(slots=True)
class Batch:
    """Rows to commit together.

    `keys` holds (epoch, old number, new number, whether it leads, whether it goes on to) by key.
    """

    keys: dict[str, tuple[int, int, int, bool, bool]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    _streams: dict[tuple[str, str, str], int] = field(default_factory=dict)
    _marks: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    _places: dict[tuple[str, str, int], int] = field(default_factory=dict)
    _timers: dict[tuple[str, str], int | None] = field(default_factory=dict)

    def send(self, output: Output) -> None:
        """Add a row to the outbox, and move its stream."""
        self.outputs.append(output)
        self._streams[output.key, output.receiver, output.receiver_key] = output.position

    def mark(self, key: str, sender: str, sender_key: str, epoch: int, position: int) -> None:
        """Say how far `key` has applied a stream."""
        self._marks[key, sender, sender_key] = epoch, position

    def move_place(self, key: str, topic: str, partition: int, offset: int) -> None:
        """Say that `key` is done with a partition of Kafka up to `offset`, itself included."""
        self._places[key, topic, partition] = offset + 1

    def set_timer(self, key: str, name: str, due_ns: int | None) -> None:
        """Set a timer; None takes it away."""
        self._timers[key, name] = due_ns

    @property
    def only_follows(self) -> bool:
        """Whether no key of the batch leads: what a server forgets of it when it goes down is read again."""
        return not any(leads for _, _, _, leads, _ in self.keys.values())

    def statement(self, lease_seconds: float) -> tuple[str, list[bytes]]:
        """Return the SQL that commits this batch, and its parameters in binary.

        Nobody waits for the disk where the batch only follows.
        The lead of a key is taken by a statement that waits, and with it for everything before.
        """
        parts = {name: rows for name, rows in self._parts() if rows}
        keys = [(key, *numbers) for key, numbers in self.keys.items()]
        parameters = [double_of(lease_seconds), *_arrays(_KEYS, keys)]
        for name, rows in parts.items():
            parameters += _arrays(_TABLES[name].kinds, rows)
        return _statement(tuple(parts), self.only_follows), parameters

    def _parts(self) -> Iterator[tuple[str, list[Any]]]:
        yield "steps", [(*step[:4], compress(step.body), compress(step.events), step.epoch) for step in self.steps]
        yield "outputs", self.outputs
        yield "streams", [(*stream, position) for stream, position in self._streams.items()]
        yield "marks", [(*stream, *mark) for stream, mark in self._marks.items()]
        yield "places", [(*place, next_offset) for place, next_offset in self._places.items()]
        yield "seen", self.seen
        yield "requests_gone", self.seen
        yield "timers_set", [(*timer, due_ns) for timer, due_ns in self._timers.items() if due_ns is not None]
        yield "timers_gone", [timer for timer, due_ns in self._timers.items() if due_ns is None]
        yield "dead_letters", self.dead_letters


def _arrays(kinds: Sequence[str], rows: Sequence[Any]) -> list[bytes]:
    return [array_of(kind, column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]


@lru_cache(maxsize=256)
def _statement(parts: tuple[str, ...], is_soon: bool) -> str:
    numbers = count(2)

    def arrays(kinds: Iterable[str]) -> str:
        return ", ".join(f"${next(numbers)}::{kind}[]" for kind in kinds)

    clauses = [_MOVED.format(arrays=arrays(_KEYS), soon=", soon" if is_soon else "")]
    for name in parts:
        table = _TABLES[name]
        names = ", ".join(column for column, _ in table.columns)
        rows = f"FROM unnest({arrays(table.kinds)}) AS r({names}) JOIN moved ON moved.key = r.key"
        clauses.append(f"{name} AS ({table.statement.format(rows=rows)})")
    return f"{f'{SOON},' if is_soon else 'WITH'} {', '.join(clauses)} SELECT key FROM moved"  # noqa: S608  (names of ours)
