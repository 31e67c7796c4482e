"""The fence rows of both sides: who leads a key is decided by them, each in its side's own PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

import psycopg
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

from banyan.facade import Side
from banyan.facade.routing import routing_of
from banyan.store import Store


class Fence(NamedTuple):
    """A fence row."""

    number: int
    epoch: int
    is_leading: bool


def alias_of(context: str, side: Side) -> str:
    """Return the alias of a side's database; that of a service is made known when it is first asked for."""
    if side is Side.APP:
        return context
    alias = f"{context}_service"
    if alias not in connections.settings:
        described = connections.configure_settings({"default": {}, alias: dict(settings.SERVICE_DATABASES[context])})
        connections.settings[alias] = described[alias]
    return alias


@contextmanager
def store_of(context: str, side: Side) -> Iterator[Store]:
    """Open a side's database."""
    store = Store(alias_of(context, side))
    try:
        yield store
    finally:
        store.close()


def fences(context: str, side: Side, keys: Sequence[str]) -> dict[str, Fence]:
    """Return the fence rows of a side. Raises psycopg.Error where its database cannot be reached."""
    with store_of(context, side) as store:
        rows = store.connection.execute(
            "SELECT key, number, epoch, is_leading FROM banyan_key WHERE key = ANY(%s)", [list(keys)]
        ).fetchall()
    return {key: Fence(*rest) for key, *rest in rows}


def fence_off(context: str, side: Side, key: str) -> Fence | None:
    """Move a side's fence row so that whoever holds the key there can commit nothing more, and leads no longer."""
    with store_of(context, side) as store:
        row = store.connection.execute(
            "UPDATE banyan_key SET is_leading = false, epoch = epoch + 1 WHERE key = %s "
            "RETURNING number, epoch, is_leading",
            [key],
        ).fetchone()
    return Fence(*row) if row is not None else None


def promote(context: str, side: Side, key: str, ended: int, number: int) -> bool:
    """Let a side lead a key after another side's epoch, if its log is at `number`; its host notices within seconds."""
    with store_of(context, side) as store:
        row = fences(context, side, [key]).get(key)
        if row is None or row.number != number or row.is_leading:
            return False
        return store.lead(context, key, row.epoch, ended) is not None


def held_by_nobody(context: str, side: Side, keys: Sequence[str], seconds: float) -> tuple[set[str], set[str]]:
    """Return the keys that a side leads and nobody there holds: because a lease ran out so long ago, and given back."""
    with store_of(context, side) as store:
        rows = store.connection.execute(
            "SELECT key, lease_until IS NULL FROM banyan_key WHERE key = ANY(%s) AND is_leading "
            "AND (lease_until IS NULL OR lease_until < now() - make_interval(secs => %s))",
            [list(keys), seconds],
        ).fetchall()
    return {key for key, is_free in rows if not is_free}, {key for key, is_free in rows if is_free}


def not_relayed(context: str, side: Side, numbers: Mapping[str, int]) -> set[str]:
    """Return the keys whose log, up to a number of each, a side has not given Kafka."""
    with store_of(context, side) as store:
        rows = store.relayed_log(context, sorted(numbers))
    return {key for _, _, key, relayed, _ in rows if relayed < numbers[key]}


class Waiting(NamedTuple):
    """A stream that Kafka has more of than its receiver has applied, and up to where that has."""

    key: str
    sender: str
    sender_key: str
    position: int


def waiting_inputs(context: str, keys: Sequence[str]) -> list[Waiting]:
    """Return what waits in Kafka for keys that the service holds, of senders that keep what Kafka has taken of them."""
    if not keys:
        return []
    with store_of(context, Side.SERVICE) as store:
        rows = store.connection.execute(
            "SELECT m.key, m.sender, m.sender_key, m.position FROM banyan_mark AS m JOIN banyan_key AS k USING (key) "
            "WHERE k.key = ANY(%s) AND k.is_leading AND k.lease_until > now() AND m.sender = ANY(%s)",
            [list(keys), [each for each in import_string(settings.HOSTED_CONTEXTS) if each != context]],
        ).fetchall()
    marks = [Waiting(*row) for row in rows]
    relayed: dict[tuple[str, str, str], int] = {}
    for sender in {each.sender for each in marks}:
        for side in sides_of(sender):
            with suppress(*Unreachable), store_of(sender, side) as store:
                rows = store.connection.execute(
                    "SELECT receiver_key, key, position FROM banyan_relayed WHERE receiver = %s", [context]
                ).fetchall()
                for key, sender_key, position in rows:
                    stream = key, sender, sender_key
                    relayed[stream] = max(position, relayed.get(stream, 0))
    return [each for each in marks if relayed.get((each.key, each.sender, each.sender_key), 0) > each.position]


def sides_of(context: str) -> list[Side]:
    """Return the sides that a context has now: only the service where the app is run without it."""
    if context in settings.EXTRACTED:
        return [Side.SERVICE]
    return [Side.APP, Side.SERVICE] if routing_of(context).has_service else [Side.APP]


Unreachable: tuple[type[Exception], ...] = (psycopg.Error,)


class Head(NamedTuple):
    """Where the log of a key ends: which side leads it, None where neither does, and its last number there."""

    side: Side | None
    number: int


def heads(context: str, keys: Sequence[str]) -> dict[str, Head]:
    """Return where the logs of keys end, by the fence rows that can be reached.

    While a context is in the app alone, no database of a service is asked for.
    """
    sides = sides_of(context)
    rows: dict[Side, Mapping[str, Fence]] = {side: {} for side in Side}
    for side in sides:
        with suppress(*(Unreachable if side is not sides[0] else ())):
            rows[side] = fences(context, side, keys)
    found = {}
    for key in keys:
        there = {side: rows[side][key] for side in sides if key in rows[side]}
        leads = [side for side, row in there.items() if row.is_leading]
        # Nobody's log is longer than that of who leads.
        found[key] = Head(leads[0] if leads else None, max((row.number for row in there.values()), default=0))
    return found


def led_by(context: str, keys: Sequence[str]) -> dict[str, Side | None]:
    """Return which side leads each key, None where neither does."""
    return {key: head.side for key, head in heads(context, keys).items()}
