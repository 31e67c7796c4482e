"""Mismatches as regression tests: the state and the input that they came of, frozen, and what the leader gave."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from banyan.codec import decode_envelope, decode_message, encode_message
from banyan.context import Context
from banyan.facade.models import Mismatch
from banyan.facade.routing import ALIAS
from banyan.host.delivery import split_events
from banyan.host.memory import state_at
from banyan.messages import Received
from banyan.store import Store
from extract.comparator.comparator import SOURCE, record
from extract.comparator.rows import Outcome, compare
from extract.comparator.shapes import SHAPES
from extract.sources import code_hash


class FixtureError(ValueError):
    """A mismatch cannot be made into a fixture; the message says why."""


class Fixture(msgspec.Struct, frozen=True, kw_only=True):
    """An input, the state that it met, and the events that its leader gave: [name, message] each.

    `code` is a hash of the context's source files when it was written.
    """

    context: str
    key: str
    number: int
    found: str
    code: str
    version: int
    state: bytes
    received_at_ns: int
    envelope: dict[str, Any]
    message: Any
    events: list[tuple[str, Any]]


def mismatch_of(number: int) -> Mismatch:
    """Return a mismatch by its number. Raises FixtureError."""
    found = Mismatch.objects.using(ALIAS).filter(id=number).first()
    if found is None:
        raise FixtureError(f"There is no mismatch {number}: `manage.py extract diff` lists them")
    return found


def freeze(context: Context[Any], mismatch: Mismatch) -> Fixture:
    """Return a mismatch with all that it takes to decide it again. Raises FixtureError where its log is gone."""
    if mismatch.input == SOURCE:
        raise FixtureError(f"{mismatch}: the sources of the sides differ, there is no decision to keep")
    store = Store(context.name)
    try:
        step = record(store, mismatch.key, mismatch.number)
        if step is None:
            raise FixtureError(f"{mismatch}: the log that is here has no record {mismatch.number} any more")
        state, _ = state_at(context, store, mismatch.key, mismatch.number - 1)
    finally:
        store.close()
    return Fixture(
        context=context.name,
        key=mismatch.key,
        number=mismatch.number,
        found=f"{mismatch.kind} {mismatch.event} {json.dumps(mismatch.fields)}",
        code=code_hash(context.name),
        version=context.snapshot_version,
        state=context.to_snapshot(state),
        received_at_ns=step.received_at_ns,
        envelope=json.loads(step.header),
        message=json.loads(step.body),
        events=[(name, json.loads(body)) for name, body in split_events(step.events)],
    )


def file_of(fixture: Fixture) -> tuple[str, bytes]:
    """Return the name of a fixture's file, the same one for the same record, and what stands in it."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "-", fixture.key)
    text = msgspec.json.format(msgspec.json.encode(fixture), indent=1) + b"\n"
    return f"{fixture.context}-{safe}-{fixture.number}.json", text


def write(fixture: Fixture, folder: Path) -> Path:
    """Write a fixture into a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    name, text = file_of(fixture)
    path = folder / name
    path.write_bytes(text)
    return path


def read(path: Path) -> Fixture:
    """Return the fixture of a file."""
    return msgspec.json.decode(path.read_bytes(), type=Fixture)


def replay(fixture: Fixture, contexts: Mapping[str, Context[Any]]) -> Outcome:
    """Decide a fixture's input again and compare what comes of it with what its leader gave."""
    context = contexts[fixture.context]
    envelope = decode_envelope(json.dumps(fixture.envelope).encode())
    received = Received(
        message=decode_message(envelope.name, json.dumps(fixture.message).encode()),
        id=envelope.id,
        key=fixture.key,
        received_at_ns=fixture.received_at_ns,
        event_time_ns=envelope.event_time_ns,
        deadline_ns=envelope.deadline_ns,
        correlation=envelope.correlation,
    )
    state = context.from_snapshot(fixture.key, fixture.version, fixture.state)
    leaders = [(name, json.dumps(body).encode()) for name, body in fixture.events]
    events = [decode_message(name, body) for name, body in leaders]
    given = [(event.wire_name, encode_message(event)) for event in context.decide_again(state, received, events)]
    return compare(leaders, given, SHAPES[fixture.context], cause=received.message)
