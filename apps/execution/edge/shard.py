"""One shard as the edge holds it: its lease, its memory, and lines of the ledger that are not committed yet."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import AccountsReconciled, OrdersReported
from apps.execution.edge.entries import EntryKind, Line, Reconciled, encode, kind_of
from apps.execution.edge.ledger import LeaseRow, Ledger, Moved
from apps.execution.edge.memory import SNAPSHOT_VERSION, Memory, from_snapshot
from banyan.codec import Envelope, encode_message
from banyan.ids import derive
from banyan.messages import Message

SENDER = "edge"
REPORTING = (EntryKind.REPORT, EntryKind.RECONCILED)
"""Entries that are messages to execution: their numbers are places on the stream to it."""


@dataclass(slots=True)
class Outgoing:
    """A message to execution; `message` is what `body` holds, where it is at hand."""

    envelope: Envelope
    body: bytes
    message: Message | None


@dataclass(slots=True)
class Held:
    """A message of which some orders still wait: `left` units of it."""

    left: int = field(default=0, init=False)


@dataclass(slots=True)
class Shard:
    """A shard whose lease this edge has. `committed` is the number of its last entry that is in the ledger."""

    key: str
    epoch: int
    committed: int
    number: int
    reported: int
    memory: Memory
    streams: dict[tuple[str, str], tuple[int, int]]
    incarnation: int
    lease_ends_ns: int = 0
    snapshot_number: int = 0
    orders_kept: int = 0
    """How many orders were in memory when those that had ended were forgotten."""
    waiting: deque[tuple[Envelope, Message]] = field(default_factory=deque)
    lines: list[Line] = field(default_factory=list)
    moved_streams: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    held: deque[tuple[tuple[str, str], tuple[int, int], Sequence[Held]]] = field(default_factory=deque)
    """Messages that were taken since the first of which orders still wait: their stream, place, and what waits."""
    reconciled: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    def write(self, what: msgspec.Struct, at_ns: int) -> None:
        """Add a line, and change the memory by it."""
        kind = kind_of(what)
        self.number += 1
        is_report = kind in REPORTING
        line = Line(
            key=self.key,
            number=self.number,
            kind=kind,
            previous=self.reported if is_report else 0,
            id=derive(SENDER, self.incarnation, self.key, self.number),
            at_ns=at_ns,
            what=what,
            body=encode_message(what) if isinstance(what, OrdersReported) else encode(what),
        )
        if is_report:
            self.reported = self.number
        self.lines.append(line)
        self.memory.apply(line)
        if self.reconciled.size < len(self.memory.accounts):
            more = len(self.memory.accounts) - self.reconciled.size
            self.reconciled = np.concatenate([self.reconciled, np.zeros(more, bool)])

    def take(self, envelope: Envelope, waits: Sequence[Held] = ()) -> None:
        """Note that a message of a numbered stream is taken. It is done with when nothing of it `waits`."""
        if envelope.number:
            stream = (envelope.sender, envelope.sender_key)
            self.streams[stream] = (envelope.epoch, envelope.number)
            self.held.append((stream, self.streams[stream], waits))
            self.move_marks()

    def move_marks(self) -> None:
        """Move the marks of streams past the messages of which nothing waits, up to the first of which something does.

        After a crash what is behind the marks comes again.
        """
        while self.held and not any(each.left for each in self.held[0][2]):
            stream, mark, _ = self.held.popleft()
            self.moved_streams[stream] = mark

    def has_news(self) -> bool:
        """Tell whether something is to be committed."""
        return bool(self.lines or self.moved_streams)

    def moved(self) -> Moved:
        """Return how the lease is to move."""
        return Moved(self.key, self.epoch, self.committed, self.number, self.reported)

    def settle(self) -> list[Outgoing]:
        """Note that everything is committed; return the messages among it."""
        outgoing = [outgoing_of(line, self.incarnation) for line in self.lines if line.kind in REPORTING]
        self.committed = self.number
        self.lines = []
        self.moved_streams = {}
        return outgoing


class UnreadableLedgerError(RuntimeError):
    """What a shard knew cannot be told from the ledger by this release."""


def load(ledger: Ledger, row: LeaseRow, incarnation: int) -> Shard:
    """Return a shard as its snapshot and the lines after it tell it. Raises UnreadableLedgerError."""
    after, memory = remembered(ledger, row.key)
    for line in ledger.lines(row.key, after):
        memory.apply(line)
    return Shard(
        key=row.key,
        epoch=row.epoch,
        committed=row.number,
        number=row.number,
        reported=row.reported,
        memory=memory,
        streams=ledger.streams(row.key),
        incarnation=incarnation,
        snapshot_number=after,
        reconciled=np.zeros(len(memory.accounts), bool),
    )


def remembered(ledger: Ledger, key: str) -> tuple[int, Memory]:
    """Return what the last snapshot of a shard holds, and the number of the line after which it was made.

    Without one that this release reads every line must be there, from the first. Raises UnreadableLedgerError.
    """
    snapshot = ledger.newest_snapshot(key)
    if snapshot is not None and snapshot[1] == SNAPSHOT_VERSION:
        return snapshot[0], from_snapshot(snapshot[2])
    first = ledger.first(key)
    if first > 1 or (snapshot is not None and snapshot[0] and not first):
        raise UnreadableLedgerError(unreadable(key, snapshot[1] if snapshot else None))
    return 0, Memory()


def unreadable(key: str, version: int | None) -> str:
    """Return in words that a shard's snapshot is of another version (None: there is none), and older lines are gone."""
    has = "has no snapshot" if version is None else f"has a snapshot of version {version}"
    return (
        f"edge/{key} {has}, this release reads version {SNAPSHOT_VERSION}, and the lines that would do without it are "
        f"gone: nothing of this shard is sent. Start the release that kept it, or restore the ledger from a backup"
    )


def missed(ledger: Ledger, key: str, after: int, *, now_ns: int, most: int = 500) -> list[Outgoing]:
    """Return the messages of a shard to execution after a number, oldest first, from the ledger.

    Whoever asks has a ledger of its own: a connection is not for the threads of edge and receiver at once.
    """
    life = ledger.incarnation(now_ns).number
    return [outgoing_of(line, life) for line in ledger.lines(key, after, kinds=REPORTING, most=most)]


def outgoing_of(line: Line, incarnation: int) -> Outgoing:
    """Return the message that a line is: the same whether it is told at once or read from the ledger later."""
    is_report = line.kind is EntryKind.REPORT
    what: Reconciled = line.what
    return Outgoing(
        Envelope(
            name=OrdersReported.wire_name if is_report else AccountsReconciled.wire_name,
            id=line.id,
            key=line.key,
            correlation=line.id,
            sender=SENDER,
            sender_key=line.key,
            epoch=incarnation,
            number=line.number,
            previous=line.previous,
            event_time_ns=line.at_ns,
            sent_at_ns=line.at_ns,
        ),
        line.body if is_report else what.message,
        line.what if is_report else None,
    )
