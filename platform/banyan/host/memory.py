"""What a host holds in memory of a key, and how it is brought back from the database."""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from banyan.codec import decode_message
from banyan.context import Context
from banyan.host.delivery import Delivery, split_events
from banyan.messages import Message
from banyan.store import KeyRow, SnapshotRow, Step, Store

State = TypeVar("State")
State_contra = TypeVar("State_contra", contravariant=True)


class RebuildError(RuntimeError):
    """A key's log or snapshot is damaged: the message says where, and the key must not be used."""


class NewerError(RebuildError):
    """A key's state is known only to a newer version of this program, by its snapshot; the key is well there."""


@dataclass(slots=True)
class KeyMemory(Generic[State]):
    """A key's state and its place in log, streams and time.

    `waiting` are its inputs, not applied yet. Where the key follows, `records` are those of its leader's log, and what
    waits does so until a record shows it applied. `digested` is the number at which the last digest was taken,
    `handed_over_ns` when, by the monotonic clock, the lead was given away here. One that `is_astray` has another state
    than its leader, and is compared no more until a seed has come.
    """

    key: str
    epoch: int
    number: int
    state: State
    marks: dict[tuple[str, str], tuple[int, int]]
    streams: dict[tuple[str, str], int]
    timers: dict[str, int]
    snapshot_number: int
    parked_because: str = ""
    parked_id: str = ""
    is_leading: bool = True
    digested: int = 0
    handed_over_ns: int | None = None
    is_astray: bool = False
    waiting: deque[Delivery] = field(default_factory=deque)
    records: deque[Delivery] = field(default_factory=deque)


def rebuild(context: Context[State], store: Store, row: KeyRow) -> KeyMemory[State]:
    """Return a key as its last committed record left it. Raises RebuildError where the log has a hole.

    Raises NewerError where only a newer version can.
    """
    state, begins = state_at(context, store, row.key, row.number)
    return KeyMemory(
        key=row.key,
        epoch=row.epoch,
        number=row.number,
        state=state,
        marks=store.marks(row.key),
        streams=store.streams(row.key),
        timers=store.timers(row.key),
        snapshot_number=begins,
        parked_because=row.parked_because,
        parked_id=row.parked_id,
        is_leading=row.is_leading,
        digested=row.number,
    )


def state_at(context: Context[State], store: Store, key: str, number: int) -> tuple[State, int]:
    """Return the state of a key after log record `number`, and the number of the snapshot that it was built on.

    A snapshot of a newer version is passed over, and what it holds read from the log. Raises NewerError where that
    does not go back so far, and RebuildError where the log has a hole.
    """
    snapshot = store.newest_snapshot(key, number, context.snapshot_version)
    state, begins = context.new_state(key), 0
    if snapshot is not None:
        if digest_of(snapshot.state) != snapshot.digest:
            raise RebuildError(
                f"{context.name}/{key}: snapshot {snapshot.number} is damaged: delete it to use an older"
            )
        state, begins = context.from_snapshot(key, snapshot.version, snapshot.state), snapshot.number
    try:
        return advanced(context, store, key, state, begins, number), begins
    except RebuildError:
        newest = store.newest_snapshot(key, number)
        if newest is not None and newest.version > context.snapshot_version:
            raise NewerError(_newer(context, key, newest.version)) from None
        raise


def _newer(context: Context[State], key: str, version: int) -> str:
    return (
        f"{context.name}/{key} is in a snapshot of version {version}, and this program reads those up to "
        f"{context.snapshot_version}: one of a newer version has to hold it"
    )


def advanced(context: Context[State], store: Store, key: str, state: State, begins: int, number: int) -> State:
    """Return the state of a key after log record `number`, from that after `begins`, which is used up by it."""
    expected = begins
    for step in store.steps(key, begins, number):
        expected += 1
        if step.number != expected:
            raise RebuildError(f"{context.name}/{key}: the log has {step.number} after {expected - 1}")
        for name, body in split_events(step.events):
            state = context.evolve(state, decode_message(name, body))
    if expected != number:
        raise RebuildError(f"{context.name}/{key}: the log ends at {expected}, the key is at {number}")
    return state


class Hearer(Protocol[State_contra]):
    """Who hears of a log while it is replayed."""

    def begin(self, state: State_contra, step: Step) -> None:
        """Hear of a record, before its events."""

    def hear(self, state: State_contra, event: Message) -> None:
        """Hear of an event; `state` is what it has led to."""

    def end(self, state: State_contra, step: Step) -> None:
        """Have heard all events of a record, which have led to `state`."""


def verify(context: Context[State], store: Store, key: str, number: int, hearer: Hearer[State] | None = None) -> int:
    """Replay a key's log from its first snapshot, or its beginning, and compare every later snapshot on the way.

    Those that are equal are marked as verified; return how many there are. Raises RebuildError for a gap in the log
    and for the first snapshot that replay does not give, NewerError where the first one is of a newer version.
    """
    snapshots = store.snapshots(key)
    begins = snapshots[0] if snapshots and store.first_number(key) > 1 else None
    state, last, verified = context.new_state(key), 0, 0
    if begins is not None and begins.version > context.snapshot_version:
        raise NewerError(_newer(context, key, begins.version))
    if begins is not None:
        state, last = context.from_snapshot(key, begins.version, begins.state), begins.number
    wanted = {each.number: each for each in snapshots if each.number > last}
    for step in store.steps(key, last, number):
        last += 1
        if step.number != last:
            raise RebuildError(f"{context.name}/{key}: the log has {step.number} after {last - 1}")
        if hearer is not None:
            hearer.begin(state, step)
        for name, body in split_events(step.events):
            event = decode_message(name, body)
            state = context.evolve(state, event)
            if hearer is not None:
                hearer.hear(state, event)
        if hearer is not None:
            hearer.end(state, step)
        if last in wanted and wanted[last].version == context.snapshot_version:
            if digest_of(context.to_snapshot(state)) != wanted[last].digest:
                raise RebuildError(f"{context.name}/{key}: replay does not give the state of snapshot {last}")
            store.mark_verified(key, last)
            verified += 1
    if last != number:
        raise RebuildError(f"{context.name}/{key}: the log ends at {last}, the key is at {number}")
    return verified


def snapshot_of(context: Context[State], memory: KeyMemory[State]) -> SnapshotRow:
    """Return the snapshot of a key as it is now."""
    state = context.to_snapshot(memory.state)
    return SnapshotRow(memory.number, context.snapshot_version, digest_of(state), state)


def digest_of(state: bytes) -> str:
    """Return the digest that is kept beside a snapshot: BLAKE2b, 32 hex digits."""
    return hashlib.blake2b(state, digest_size=16).hexdigest()
