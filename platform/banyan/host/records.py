"""A leader's log as it travels: each record once committed, and all of a key at once for who begins to follow."""

from typing import TypeVar

import msgspec

from banyan.codec import CodecError, Envelope, decode_envelope, decode_message, encode_message
from banyan.context import Context
from banyan.host.delivery import Delivery
from banyan.host.memory import KeyMemory, digest_of
from banyan.messages import Logged, Seeded, StreamMark
from banyan.store import Seed, Step

State = TypeVar("State")
_NOTHING = msgspec.Raw(b"null")


def record_of(context: str, step: Step, committed_at_ns: int, digest: str = "", digest_version: int = 0) -> Delivery:
    """Return a record of a key's log, on its way to whoever follows the key."""
    logged = Logged(
        received_at_ns=step.received_at_ns,
        committed_at_ns=committed_at_ns,
        envelope=msgspec.Raw(step.header),
        message=_as_json(step.body),
        events=msgspec.Raw(step.events),
        digest=digest,
        digest_version=digest_version,
    )
    cause = decode_envelope(step.header).id
    envelope = _envelope(context, step.key, Logged.wire_name, cause, step.epoch, step.number, step.number - 1)
    return Delivery(context, msgspec.structs.replace(envelope, sent_at_ns=committed_at_ns), encode_message(logged))


def seed_of(context: Context[State], memory: KeyMemory[State], seen: list[str], now_ns: int) -> Delivery:
    """Return all that it takes to follow a key from now on."""
    state = context.to_snapshot(memory.state)
    seeded = Seeded(
        version=context.snapshot_version,
        state=state,
        digest=digest_of(state),
        read=[
            StreamMark(context=sender, key=key, epoch=epoch, number=number)
            for (sender, key), (epoch, number) in sorted(memory.marks.items())
            if sender != context.name
        ],
        sent=[
            StreamMark(context=receiver, key=key, number=position)
            for (receiver, key), position in sorted(memory.streams.items())
        ],
        timers=dict(sorted(memory.timers.items())),
        seen=seen,
    )
    number = memory.number
    envelope = _envelope(context.name, memory.key, Seeded.wire_name, "", memory.epoch, number, number)
    return Delivery(
        context.name, msgspec.structs.replace(envelope, sent_at_ns=now_ns), encode_message(seeded)
    )  # fmt: skip


def read_seed(delivery: Delivery) -> Seed:
    """Return a seed as it is planted. Raises CodecError where it is none, or damaged."""
    seeded = decode_message(delivery.envelope.name, delivery.body)
    assert isinstance(seeded, Seeded)
    if digest_of(seeded.state) != seeded.digest:
        raise CodecError(f"the seed of {delivery.envelope.sender}/{delivery.envelope.key} is damaged: ask for another")
    return Seed(
        number=delivery.envelope.number,
        epoch=delivery.envelope.epoch,
        version=seeded.version,
        digest=seeded.digest,
        state=seeded.state,
        marks={(each.context, each.key): (each.epoch, each.number) for each in seeded.read},
        streams={(each.context, each.key): each.number for each in seeded.sent},
        timers=seeded.timers,
        seen=seeded.seen,
    )


def _envelope(context: str, key: str, name: str, cause: str, epoch: int, number: int, previous: int) -> Envelope:
    return Envelope(
        name=name, id=f"{context}-{key}-{number}", key=key, cause=cause, sender=context, sender_key=key, epoch=epoch,
        number=number, previous=previous,
    )  # fmt: skip


def _as_json(body: bytes) -> msgspec.Raw:
    """Return an input as it came, or nothing where it was no JSON, which is why it was put aside."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError:
        return _NOTHING
    return msgspec.Raw(body)
