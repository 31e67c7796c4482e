"""Steps of logs as people look at them: one by one, and joined by who sent what to whom, from first to last."""

import json
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import Error, connections
from django.utils.module_loading import import_string

from banyan.codec import CodecError, Envelope, decode_envelope
from banyan.compression import expand
from banyan.host.delivery import EVENTS_PER_STEP_MAX, split_events
from banyan.models import Key, Log

_BACK_MAX = 8
"""How many causes are followed back: a quote is three steps from an order."""
_ONWARD_MAX = 400
"""In how many later records of a key answers are looked for."""
_AT_ONCE_MAX = 1_000
"""How many records of a key a commit may have."""


class StepTold(NamedTuple):
    """A step of a key: what it took from whom, when, and what it gave. Times are ns since 1970 UTC.

    `committed_at_ns` is when its commit began, by the clock of the database; `gave` has (name, bytes) of each event;
    `trace` is the id of the request that it goes back to, "" where it goes back to none.
    """

    context: str
    key: str
    number: int
    name: str
    id: str
    correlation: str
    sender: str
    sender_key: str
    sender_number: int
    event_time_ns: int
    received_at_ns: int
    committed_at_ns: int
    size: int
    gave: list[tuple[str, int]]
    trace: str


class StepShown(NamedTuple):
    """A step with all that it holds, as JSON for people."""

    told: StepTold
    envelope: str
    message: str
    events: list[tuple[str, str]]


def keys_of(context: str) -> list[tuple[str, int]]:
    """Return the keys of a context, and how long each one's log is."""
    return list(Key.objects.using(context).order_by("key").values_list("key", "number"))


def has_log(context: str) -> bool:
    """Tell whether a context has logs."""
    return context in import_string(settings.HOSTED_CONTEXTS)


def steps(context: str, key: str, most: int, before: int | None = None) -> list[StepTold]:
    """Return steps of a key, newest first: those before a number, or the newest."""
    found = Log.objects.using(context).filter(key=key)
    if before is not None:
        found = found.filter(number__lt=before)
    return [_told(context, row) for row in found.order_by("-number")[:most]]


def step(context: str, key: str, number: int) -> StepShown | None:
    """Return a step with all that it holds, None where the log has none (any more)."""
    row = _row(context, key, number)
    if row is None:
        return None
    events = [(name, _pretty(body)) for name, body in split_events(expand(bytes(row.events)))]
    return StepShown(_told(context, row), _pretty(bytes(row.header)), _pretty(expand(bytes(row.body))), events)


def lineage(context: str, key: str, number: int) -> list[StepTold]:
    """Return what led to a step and what came of it in its key, as far as logs have it, in the order of time.

    Back from cause to cause, exactly, since an envelope names its sender's record. Onwards among the next records of
    the same key that have the same correlation, with the records of those who sent them.
    """
    row = _row(context, key, number)
    if row is None:
        return []
    first = _told(context, row)
    found = {_place(first): first}
    cause: StepTold | None = first
    for _ in range(_BACK_MAX):
        cause = None if cause is None else _sender_of(cause)
        if cause is not None:
            found[_place(cause)] = cause
    root = first.correlation or first.id
    later = Log.objects.using(context).filter(key=key, number__gt=number, number__lte=number + _ONWARD_MAX)
    for each in later.order_by("number").extra(where=["position(%s::bytea in header) > 0"], params=[root.encode()]):
        told = _told(context, each)
        if told.correlation != root:
            continue
        found[_place(told)] = told
        sender = _sender_of(told)
        if sender is not None:
            found[_place(sender)] = sender
    return sorted(found.values(), key=lambda told: (told.received_at_ns, told.committed_at_ns))


class Applied(NamedTuple):
    """The record by which a key has applied a command, and when it was received, in ns since 1970 UTC."""

    number: int
    received_at_ns: int


def record_of(context: str, key: str, command: str) -> Applied | None:
    """Return the record by which a key has applied a command, by its id; None: it waits, or is there no more.

    What a key has seen and its record are of one commit and have one time, and times of a log rise with its numbers.
    """
    with connections[context].cursor() as cursor:
        cursor.execute("SELECT seen_at FROM banyan_seen WHERE key = %s AND id = %s", [key, command])
        seen = cursor.fetchone()
        if seen is None:
            return None
        first = _first_from(cursor, key, seen[0])
        cursor.execute(
            "SELECT number, received_at_ns FROM banyan_log WHERE key = %s AND number BETWEEN %s AND %s "
            "AND written_at = %s AND position(%s::bytea IN header) > 0 ORDER BY number LIMIT 1",
            [key, first, first + _AT_ONCE_MAX, seen[0], command.encode()],
        )
        row = cursor.fetchone()
    return None if row is None else Applied(*row)


def _first_from(cursor: Any, key: str, at: datetime) -> int:
    """Return the number of the first record of a key that was written at a time or later."""
    cursor.execute("SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM banyan_log WHERE key = %s", [key])
    low, high = cursor.fetchone()
    while low < high:
        middle = (low + high) // 2
        cursor.execute("SELECT written_at FROM banyan_log WHERE key = %s AND number = %s", [key, middle])
        row = cursor.fetchone()
        if row is not None and row[0] >= at:
            high = middle
        else:
            low = middle + 1
    return int(low)


def _sender_of(told: StepTold) -> StepTold | None:
    """Return the step that gave what this one took; None: it came from outside, or its record is out of reach."""
    if not told.sender_number or not has_log(told.sender):
        return None
    try:
        row = _row(told.sender, told.sender_key, told.sender_number)
    except Error:
        return None
    return None if row is None else _told(told.sender, row)


def _place(told: StepTold) -> tuple[str, str, int]:
    return told.context, told.key, told.number


def _row(context: str, key: str, number: int) -> Log | None:
    return Log.objects.using(context).filter(key=key, number=number).first()


def _told(context: str, row: Log) -> StepTold:
    of = _envelope(bytes(row.header))
    events = split_events(expand(bytes(row.events)))
    return StepTold(
        context, row.key, row.number, of.name, of.id, of.correlation, of.sender, of.sender_key,
        of.number // EVENTS_PER_STEP_MAX, of.event_time_ns, row.received_at_ns, _ns(row.written_at),
        len(expand(bytes(row.body))), [(name, len(body)) for name, body in events], of.trace,
    )  # fmt: skip


def _envelope(header: bytes) -> Envelope:
    try:
        return decode_envelope(header)
    except CodecError as problem:
        return Envelope(name=f"unreadable ({problem})", id="", key="")


def _ns(at: datetime) -> int:
    return round(at.timestamp() * 1e6) * 1_000


def _pretty(body: bytes) -> str:
    """Return JSON with a line for each field, and what is none as it is."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    if not isinstance(found, dict):
        return json.dumps(found)
    return "\n".join(f"{name}: {json.dumps(value)}" for name, value in found.items())
