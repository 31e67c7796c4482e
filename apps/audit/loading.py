"""Reading everything: the logs of the contexts, the edge's ledger, the paper broker's, and the kill switch's file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from apps.audit.facts import Facts, Input, Parked, Stray, Stream
from apps.audit.reading_execution import ShardReader, read_state
from apps.audit.reading_others import read_broker, read_line, read_risk, read_risk_state
from apps.execution.contracts import AccountOpened
from apps.execution.edge.ledger import LeaseRow, Ledger
from apps.execution.edge.memory import Memory
from apps.execution.edge.shard import SENDER, load
from apps.execution.paper.book import Book
from apps.execution.paper.ledger import read_only
from apps.signals.contracts import TargetSet
from banyan.codec import CodecError, decode_envelope, decode_message
from banyan.columns import ints
from banyan.context import Context
from banyan.host.memory import RebuildError, verify
from banyan.messages import Message, MessageParked, RowsParked, TimerDue
from banyan.store import Step, Store

EXECUTION, RISK = "execution", "risk"


class AuditError(RuntimeError):
    """The records are not there any more, so nothing can be said; the message says which."""


def load_facts(
    contexts: Mapping[str, Context[Any]], senders: Mapping[str, Iterable[str]], *, paper: Path, switch: Path,
    injected: int = 0,
) -> Facts:  # fmt: skip
    """Return the facts of a system that is at rest. Raises AuditError where a log has lost its beginning."""
    facts = Facts()
    for read in _readings(contexts, senders, paper, switch, injected):
        read(facts)
    return facts


def load_parts(
    contexts: Mapping[str, Context[Any]], senders: Mapping[str, Iterable[str]], *, paper: Path, switch: Path,
    injected: int = 0,
) -> Iterator[Facts]:  # fmt: skip
    """Yield the same facts in parts that can be checked one by one: an account's shard has all that is known of it.

    So no more is in memory than a shard's records, and the columns of the paper broker. Raises AuditError where a log
    has lost its beginning.
    """
    for read in _readings(contexts, senders, paper, switch, injected):
        facts = Facts()
        read(facts)
        yield facts


def _readings(
    contexts: Mapping[str, Context[Any]], senders: Mapping[str, Iterable[str]], paper: Path, switch: Path, injected: int
) -> Iterator[Callable[[Facts], None]]:
    """Yield what reads each part: what is of no shard, then shards, then what the broker has of accounts of none."""
    reader = _Reader(contexts, senders, paper, switch)
    try:
        yield partial(reader.read_whole, injected=injected)
        for shard in reader.shards():
            yield partial(reader.read_shard, shard=shard)
        yield lambda facts: read_broker(facts, reader.book, reader.strangers)
    finally:
        reader.close()


class _Reader:
    """Everything that there is to read, open."""

    def __init__(
        self, contexts: Mapping[str, Context[Any]], senders: Mapping[str, Iterable[str]], paper: Path, switch: Path
    ) -> None:  # fmt: skip
        self._contexts, self._senders = contexts, senders
        self._stores = {name: Store(name) for name in contexts}
        self._ledger = Ledger()
        self._sharded = [name for name in (EXECUTION, RISK) if name in contexts]  # execution says whose account it is
        self._thrown_ns = switch.stat().st_mtime_ns if switch.exists() else None
        self.book = Book()
        for record in read_only(paper / "ledger"):
            self.book.apply(record)
        self.strangers: set[int] = set(self.book.accounts.rows["number"].tolist())

    def shards(self) -> list[str]:
        held = {key for name in self._sharded for key, _ in _keys(self._stores[name])}
        return sorted(held | {row.key for row in _leases(self._ledger)})

    def read_whole(self, facts: Facts, injected: int) -> None:
        facts.injected = injected
        for name in sorted(self._contexts.keys() - set(self._sharded)):
            for key, number in _keys(self._stores[name]):
                _read_key(facts, self._contexts[name], self._stores[name], key, number)
        for receiver, from_whom in self._senders.items():
            for sender in from_whom:
                facts.streams += _streams(self._stores, self._ledger, sender, receiver)
        for name, store in self._stores.items():
            waiting = store.connection.execute("SELECT key, count(*) FROM banyan_request GROUP BY key").fetchall()
            facts.waiting.update({(name, key): count for key, count in waiting})
            facts.open_letters += sum(status == "open" for _, _, status in _letters(store))

    def read_shard(self, facts: Facts, shard: str) -> None:
        for name in self._sharded:
            for key, number in _keys(self._stores[name]):
                if key == shard:
                    _read_key(facts, self._contexts[name], self._stores[name], key, number)
        _read_edge(facts, self._ledger, shard)
        numbers = {number for number, account in facts.accounts.items() if account.shard == shard}
        self.strangers -= numbers
        read_broker(facts, self.book, numbers)
        facts.thrown_ns = self._thrown_ns

    def close(self) -> None:
        for store in self._stores.values():
            store.close()
        self._ledger.close()


def _keys(store: Store) -> list[tuple[str, int]]:
    return store.connection.execute("SELECT key, number FROM banyan_key ORDER BY key").fetchall()


def _letters(store: Store) -> list[tuple[str, int, str]]:
    return store.connection.execute("SELECT key, number, status FROM banyan_deadletter").fetchall()


def _leases(ledger: Ledger) -> list[LeaseRow]:
    rows = ledger.connection.execute("SELECT key, epoch, number, reported FROM edge_lease ORDER BY key").fetchall()
    return [LeaseRow(*row) for row in rows]


def _read_key(facts: Facts, context: Context[Any], store: Store, key: str, number: int) -> None:
    name = context.name
    if store.first_number(key) > 1:
        raise AuditError(
            f"{name}/{key} begins at record {store.first_number(key)}: what came before was dropped, and cannot be "
            "checked. `manage.py events verify` checks what there is"
        )
    for _, at, _ in (each for each in _letters(store) if each[0] == key):
        facts.dead_letters[Parked(name, key, at)] += 1
    reader = _LogReader(facts, context, key)
    try:
        verify(context, store, key, number, reader)
    except RebuildError as problem:
        facts.damage.append((name, key, str(problem)))
        return
    reader.close()


class _LogReader:
    """Hears of a key's log while it is replayed."""

    def __init__(self, facts: Facts, context: Context[Any], key: str) -> None:
        self._facts, self._name, self._key = facts, context.name, key
        self._state = context.new_state(key)
        self._shard = ShardReader(facts)
        self._own = {number for number, each in facts.accounts.items() if each.shard == key}
        self._sorted = ints()
        self._number = self._parked = 0
        self._is_put_aside = False

    def begin(self, state: Any, step: Step) -> None:
        envelope = decode_envelope(step.header)
        if envelope.name != TimerDue.wire_name:
            self._facts.inputs[Input(self._name, self._key, envelope.id, envelope.epoch)] += 1
        self._number, self._parked, self._is_put_aside = step.number, 0, False
        if self._name == EXECUTION:
            self._shard.begin(state, _target_of(envelope.name, step.body))

    def hear(self, state: Any, event: Message) -> None:
        self._parked += isinstance(event, MessageParked | RowsParked)
        self._is_put_aside |= isinstance(event, MessageParked)
        match self._name:
            case "execution":
                self._shard.hear(state, event)
            case "risk":
                read_risk(self._facts, event)
            case _:
                return
        if isinstance(event, AccountOpened):
            self._own.add(event.number)
        self._strays(event)

    def end(self, state: Any, step: Step) -> None:
        self._state = state
        if self._parked:
            self._facts.parked[Parked(self._name, self._key, step.number)] = self._parked
        if self._name == EXECUTION and not self._is_put_aside:
            self._shard.end()

    def close(self) -> None:
        """Add what the state is in the end."""
        if self._name == EXECUTION:
            read_state(self._facts, self._state)
        elif self._name == RISK:
            read_risk_state(self._facts, self._state)

    def _strays(self, event: Message) -> None:
        account = getattr(event, "account", None)
        if not isinstance(account, np.ndarray):
            return
        if account.size > _FEW:
            if self._sorted.size != len(self._own):
                self._sorted = np.sort(ints(list(self._own)))
            at = np.minimum(np.searchsorted(self._sorted, account), self._sorted.size - 1)
            account = account[self._sorted[at] != account] if self._sorted.size else account
        for number in account.tolist():
            if number not in self._own:
                self._facts.strays.append(Stray(self._name, self._key, self._number, number))


_FEW = 16


def _target_of(name: str, body: bytes) -> TargetSet | None:
    """Return an input where it is a target that accounts can answer."""
    if name != TargetSet.wire_name:
        return None
    try:
        target = decode_message(name, body)
    except CodecError:  # it was put aside
        return None
    assert isinstance(target, TargetSet)
    return target


def _read_edge(facts: Facts, ledger: Ledger, shard: str) -> None:
    for row in (each for each in _leases(ledger) if each.key == shard):
        memory, last = Memory(), 0
        for line in ledger.lines(row.key, 0):
            if line.number <= last:
                facts.damage.append((SENDER, row.key, f"entry {line.number} after {last}"))
            last = line.number
            memory.apply(line)
            read_line(facts, line)
        if last > row.number:
            facts.damage.append((SENDER, row.key, f"entry {last}, the lease is at {row.number}"))
        if ledger.first(row.key) > 1:
            continue  # what went with older lines is in the snapshot only
        kept = load(ledger, row, 1).memory
        shape = len(memory.terms), len(memory.accounts)
        same = np.array_equal(memory.marks[: shape[0], : shape[1]], kept.marks[: shape[0], : shape[1]])
        if not same or memory.gated != kept.gated or memory.upto != kept.upto:
            facts.damage.append((SENDER, row.key, "its lines do not give its snapshot"))


def _streams(stores: Mapping[str, Store], ledger: Ledger, sender: str, receiver: str) -> Iterable[Stream]:
    taken = _taken(stores, ledger, sender, receiver)
    if sender == SENDER:
        life = ledger.connection.execute("SELECT max(number) FROM edge_incarnation").fetchone()
        rows = ledger.connection.execute(
            "SELECT key, key, %s, reported FROM edge_lease WHERE reported > 0", [life[0] if life else 0]
        )
    else:
        rows = stores[sender].connection.execute(_SENT, [receiver])
    for key, receiver_key, epoch, position in rows.fetchall():
        mark = taken.get((key, receiver_key), (0, 0))
        yield Stream(sender, key, receiver, receiver_key, (epoch or 0, position), mark)


_SENT = (
    "SELECT s.key, s.receiver_key, (SELECT o.epoch FROM banyan_outbox AS o WHERE o.receiver = s.receiver "
    "AND o.receiver_key = s.receiver_key AND o.key = s.key AND o.position = s.position), s.position "
    "FROM banyan_stream AS s WHERE s.receiver = %s"
)


def _taken(stores: Mapping[str, Store], ledger: Ledger, sender: str, receiver: str) -> dict[Any, tuple[int, int]]:
    if receiver == SENDER:
        where, table = ledger.connection, "edge_stream"
    else:
        where, table = stores[receiver].connection, "banyan_mark"
    query = f"SELECT sender_key, key, epoch, position FROM {table} WHERE sender = %s"  # noqa: S608  (names of ours)
    return {(theirs, key): (epoch, at) for theirs, key, epoch, at in where.execute(query, [sender]).fetchall()}
