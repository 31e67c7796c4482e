"""What must happen before anybody trades after a restore: a new life of the edge's ledger, all accounts gated."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from apps.execution.contracts import GateAccounts, OrdersReported
from apps.execution.core import EXECUTION
from apps.execution.edge.ledger import ALIAS as EDGE
from apps.execution.edge.ledger import Ledger
from banyan.backup import RESTORING
from banyan.clock import SystemClock
from banyan.codec import Envelope, decode_envelope, decode_message, encode_envelope, encode_message
from banyan.host import Delivery, Host
from banyan.ids import derive
from banyan.process import is_gone
from banyan.store import Store

_TOGETHER = {EXECUTION.name, EDGE, "risk", "signals"}
"""Whose restore can make what is known of orders untrue."""


def after_restore(restored: Sequence[str]) -> Iterator[str]:
    """Gate all accounts after these databases were restored; yield what was done, in words."""
    if not _TOGETHER & set(restored):
        return
    clock = SystemClock()
    known: Mapping[str, list[str]] = {}
    if EDGE in restored:
        ledger = Ledger()
        if EXECUTION.name not in restored:
            known = _booked_since(dict(ledger.connection.execute("SELECT key, reported FROM edge_lease").fetchall()))
        life = ledger.begin_incarnation(clock.wall_ns(), "restored")
        ledger.close()
        yield f"the edge's ledger begins its life {life.number}"
    shards = _gate(known, clock)
    yield f"accounts of {shards} shards are gated until their brokers have been asked"


def _booked_since(reported: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the execution ids by shard that execution has booked, and that the edge's ledger has forgotten.

    Execution also waits for what the edge will report next, from where its ledger is now.
    """
    store = Store(EXECUTION.name)
    found: dict[str, list[str]] = {}
    for key, number in store.connection.execute("SELECT key, number FROM banyan_key").fetchall():
        for step in store.steps(key, 0, number):
            envelope = decode_envelope(step.header)
            if envelope.name == OrdersReported.wire_name and envelope.number > reported.get(key, 0):
                message: Any = decode_message(envelope.name, step.body)
                found.setdefault(key, []).extend(each for each in message.execution_id if each)
        store.connection.execute(
            "UPDATE banyan_mark SET position = LEAST(position, %s) WHERE key = %s AND sender = %s",
            [reported.get(key, 0), key, EDGE],
        )
    store.close()
    return found


def _gate(known: Mapping[str, list[str]], clock: SystemClock) -> int:
    """Commit that accounts are gated, before anything else can be applied; return how many shards there are."""
    store = Store(EXECUTION.name)
    keys = store.all_keys()
    host = Host(EXECUTION, store, import_string(settings.ROUTES)[EXECUTION.name], clock, owner=RESTORING)
    host.is_gone = is_gone
    host.open(keys)
    now_ns, leads = clock.wall_ns(), store.leading(keys)
    for key in keys:
        message = GateAccounts(reason="restored", known_fills=sorted(set(known.get(key, ()))))
        envelope = Envelope(
            name=message.wire_name, id=derive("gate", key, now_ns), key=key, event_time_ns=now_ns, sent_at_ns=now_ns
        )
        if leads.get(key, True):
            host.offer([Delivery(EXECUTION.name, envelope, encode_message(message), message)])
        else:  # its leader is another side, which is asked as by a person
            store.ask([(envelope.id, key, encode_envelope(envelope), encode_message(message))])
    held = len(host.keys)
    host.close()
    assert held == len(keys), f"only {held} of {len(keys)} shards could be taken"
    return len(keys)
