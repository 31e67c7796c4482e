"""Reading everything: the logs of the contexts, the edge's ledger, the paper broker's, and the kill switch's file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.audit.facts import Facts, Input, Parked, Stray, Stream
from apps.audit.reading_execution import read_state, read_step
from apps.audit.reading_others import read_broker, read_line, read_risk, read_risk_state
from apps.execution.edge.ledger import LeaseRow, Ledger
from apps.execution.edge.memory import Memory
from apps.execution.edge.shard import SENDER, load
from apps.execution.paper.book import Book
from apps.execution.paper.ledger import read_only
from apps.signals.contracts import TargetSet
from banyan.codec import decode_envelope, decode_message
from banyan.context import Context
from banyan.host.delivery import split_events
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
    facts = Facts(injected=injected)
    stores = {name: Store(name) for name in contexts}
    ledger = Ledger()
    try:
        for name in sorted(contexts):  # execution before risk: it says whose account is whose
            _read_context(facts, contexts[name], stores[name])
        _read_edge(facts, ledger)
        for receiver, from_whom in senders.items():
            for sender in from_whom:
                facts.streams += _streams(stores, ledger, sender, receiver)
    finally:
        for store in stores.values():
            store.close()
        ledger.close()
    book = Book()
    for record in read_only(paper / "ledger"):
        book.apply(record)
    read_broker(facts, book)
    facts.unwritten &= {row.order for row in facts.sent if not row.code and not row.is_queried}
    facts.thrown_ns = switch.stat().st_mtime_ns if switch.exists() else None
    return facts


def _read_context(facts: Facts, context: Context[Any], store: Store) -> None:
    name = context.name
    for key, number in store.connection.execute("SELECT key, number FROM banyan_key ORDER BY key").fetchall():
        if store.first_number(key) > 1:
            raise AuditError(
                f"{name}/{key} begins at record {store.first_number(key)}: what came before was dropped, and cannot be "
                "checked. `manage.py events verify` checks what there is"
            )
        try:
            verify(context, store, key, number)
        except RebuildError as problem:
            facts.damage.append((name, key, str(problem)))
            continue
        _read_log(facts, context, store, key, number)
    letters = store.connection.execute("SELECT key, number, status FROM banyan_deadletter").fetchall()
    for key, number, status in letters:
        facts.dead_letters[Parked(name, key, number)] += 1
        facts.open_letters += status == "open"
    waiting = store.connection.execute("SELECT key, count(*) FROM banyan_request GROUP BY key").fetchall()
    facts.waiting.update({(name, key): count for key, count in waiting})


def _read_log(facts: Facts, context: Context[Any], store: Store, key: str, number: int) -> None:
    name = context.name
    state = context.new_state(key)
    for step in store.steps(key, 0, number):
        envelope = decode_envelope(step.header)
        if envelope.name != TimerDue.wire_name:
            facts.inputs[Input(name, key, envelope.id, envelope.epoch)] += 1
        told = split_events(step.events)
        names = [each for each, _ in told]
        parked = names.count(MessageParked.wire_name) + names.count(RowsParked.wire_name)
        if parked:
            facts.parked[Parked(name, key, step.number)] = parked
        if name not in (EXECUTION, RISK):
            continue
        events = [decode_message(*event) for event in told]
        if name == RISK:
            read_risk(facts, events)
            for event in events:
                state = context.evolve(state, event)
        else:
            awaits = envelope.name == TargetSet.wire_name and MessageParked.wire_name not in names
            message = decode_message(envelope.name, step.body) if awaits else None
            state = read_step(facts, state, message, events)
        _strays(facts, name, step, events)
    if name == EXECUTION:
        read_state(facts, state)
    elif name == RISK:
        read_risk_state(facts, state)


def _strays(facts: Facts, context: str, step: Step, events: list[Message]) -> None:
    for event in events:
        account = getattr(event, "account", None)
        numbers = account.tolist() if isinstance(account, np.ndarray) else []
        for number in numbers:
            known = facts.accounts.get(number)
            if known is None or known.shard != step.key:
                facts.strays.append(Stray(context, step.key, step.number, number))


def _read_edge(facts: Facts, ledger: Ledger) -> None:
    rows = ledger.connection.execute("SELECT key, epoch, number, reported FROM edge_lease ORDER BY key").fetchall()
    for row in (LeaseRow(*each) for each in rows):
        memory, last = Memory(), 0
        for line in ledger.lines(row.key, 0):
            if line.number <= last:
                facts.damage.append((SENDER, row.key, f"entry {line.number} after {last}"))
            last = line.number
            memory.apply(line)
            read_line(facts, line)
        if last > row.number:
            facts.damage.append((SENDER, row.key, f"entry {last}, the lease is at {row.number}"))
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
    query = f"SELECT sender_key, key, epoch, position FROM {table} WHERE sender = %s"  # noqa: S608
    return {(theirs, key): (epoch, at) for theirs, key, epoch, at in where.execute(query, [sender]).fetchall()}
