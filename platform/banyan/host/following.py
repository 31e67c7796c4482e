"""What a key does whose leader is elsewhere: it decides only to compare, and takes in what its leader has decided."""

import time
from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

import msgspec

from banyan.codec import CodecError, Envelope, decode_envelope, decode_message, encode_message
from banyan.context import Context
from banyan.host.delivery import Delivery, Place, join_events, split_events
from banyan.host.memory import KeyMemory, digest_of
from banyan.host.records import read_seed
from banyan.host.round import Origin, Round, Shown
from banyan.host.streams import Verdict, judge
from banyan.messages import Compared, HandOver, Logged, Message, Received, Seeded, TookOver
from banyan.store import Store

State = TypeVar("State")
Encoded = Sequence[tuple[str, bytes]]
COMPARATOR = "comparator"
"""Who gets what followers would have decided, and the only one who does."""


def is_record(context: Context[State], delivery: Delivery) -> bool:
    """Tell whether a delivery is of the log of a context itself."""
    return delivery.envelope.sender == context.name


def take_record(memory: KeyMemory[State], delivery: Delivery, most: int) -> None:
    """Let a record wait; of a key that leads, that is stopped or has too many waiting, it is asked for again later."""
    is_seed = delivery.envelope.name == Seeded.wire_name
    if not memory.is_leading and (is_seed or (len(memory.records) < most and not memory.parked_because)):
        memory.records.append(delivery)


def plant_seeds(context: Context[State], store: Store, memory: KeyMemory[State], now_ns: int) -> list[Delivery]:
    """Begin anew from the last seed that waits, unless the key has come to that place by itself; tell of it."""
    places = [at for at, each in enumerate(memory.records) if each.envelope.name == Seeded.wire_name]
    if not places:
        return []
    delivery = memory.records[places[-1]]
    while memory.records.popleft() is not delivery:
        pass
    seed = read_seed(delivery)
    has_begun = (context.name, memory.key) in memory.marks
    is_there = seed.number < memory.number or (
        seed.number == memory.number and digest_of(context.to_snapshot(memory.state)) == seed.digest
    )
    if has_begun and is_there and not memory.parked_because:
        memory.is_astray = memory.is_astray and seed.number < memory.number
        return [_seeded(delivery, now_ns)] if seed.number == memory.number else []
    if seed.version > context.snapshot_version:
        raise CodecError(
            f"its leader's state is of version {seed.version}, and this program reads those up to "
            f"{context.snapshot_version}: one of a newer version has to follow"
        )
    memory.state = context.from_snapshot(memory.key, seed.version, seed.state)
    log_mark = {(context.name, memory.key): (seed.epoch, seed.number)}
    store.plant(memory.key, memory.epoch, msgspec.structs.replace(seed, marks=seed.marks | log_mark), delivery.place)
    memory.number = memory.snapshot_number = seed.number
    memory.marks, memory.streams, memory.timers = seed.marks | log_mark, dict(seed.streams), dict(seed.timers)
    memory.parked_because = memory.parked_id = ""
    memory.is_astray = False
    return [_seeded(delivery, now_ns)]


def next_records(memory: KeyMemory[State], most: int) -> list[Delivery]:
    """Return the records that come next, up to a seed."""
    found: list[Delivery] = []
    while memory.records and len(found) < most and memory.records[0].envelope.name != Seeded.wire_name:
        found.append(memory.records.popleft())
    return found


def next_inputs(memory: KeyMemory[State], most: int) -> list[Delivery]:
    """Return the inputs that come next of a key that leads, up to one that may end that."""
    found: list[Delivery] = []
    while memory.waiting and len(found) < most:
        found.append(memory.waiting.popleft())
        if found[-1].envelope.name == HandOver.wire_name:
            break
    return found


def follow(current: Round[State], memory: KeyMemory[State], delivery: Delivery) -> None:
    """Take in a record of the leader's log, if it is the next one.

    Raises CodecError where its events cannot be read, and whatever `evolve` raises.
    """
    envelope = delivery.envelope
    if envelope.number != memory.number + 1:
        return  # it is known, or others are missing before it, which are asked for
    logged = decode_message(envelope.name, delivery.body)
    assert isinstance(logged, Logged)
    current.given.pop(memory.key, None)  # somebody leads after all
    cause = decode_envelope(bytes(logged.envelope))
    given = split_events(bytes(logged.events))
    changes = cause.name in (HandOver.wire_name, TookOver.wire_name)
    events = [decode_message(name, body) for name, body in given]
    began = time.perf_counter_ns()
    is_compared = not memory.is_astray and (changes or is_chosen(cause.id, current.compare_percent))
    decides = is_compared and not changes
    decided, problem = _decide(current.context, memory, cause, logged, events) if decides else (given, "")
    took = time.perf_counter_ns() - began
    for event in events:
        memory.state = current.context.evolve(memory.state, event)
    inner = Delivery(current.context.name, cause, bytes(logged.message), None, _place_of(memory, cause))
    current.record(memory, inner, events, given, Origin(logged.received_at_ns, envelope.epoch))
    if delivery.place is not None:
        current.batch.move_place(memory.key, *delivery.place)
    mark = envelope.epoch, envelope.number
    memory.marks[current.context.name, memory.key] = mark
    current.batch.mark(memory.key, current.context.name, memory.key, *mark)
    _pass_applied(current, memory)
    if cause.name == HandOver.wire_name:
        _take_if_given(current, memory, logged, envelope.epoch)
    digest = ""
    if not memory.is_astray and current.context.strays(memory.state, events):
        memory.is_astray, digest = True, "differs"
    elif logged.digest and logged.digest_version in (0, current.context.snapshot_version) and not memory.is_astray:
        is_same = digest_of(current.context.to_snapshot(memory.state)) == logged.digest
        digest = "same" if is_same else "differs"
    compared = Compared(
        same=not problem and decided == given,
        cause=cause.id,
        input=cause.name,
        received_at_ns=logged.received_at_ns,
        committed_at_ns=logged.committed_at_ns,
        followed_at_ns=current.received_at_ns,
        decided_ns=took,
        events=msgspec.Raw(b"[]" if problem or decided == given else join_events(decided)),
        problem=problem,
        digest=digest,
        is_compared=is_compared,
    )
    told = msgspec.structs.replace(envelope, name=Compared.wire_name, sent_at_ns=current.received_at_ns)
    current.followed.append(Delivery(COMPARATOR, told, encode_message(compared)))
    current.shown.append(Shown(envelope, logged, events))


def _decide(
    context: Context[State], memory: KeyMemory[State], cause: Envelope, logged: Logged, given: Sequence[Message]
) -> tuple[list[tuple[str, bytes]], str]:
    """Return what this side would have decided, or why it could not."""
    try:
        received = Received(
            message=decode_message(cause.name, logged.message),
            id=cause.id,
            key=memory.key,
            received_at_ns=logged.received_at_ns,
            event_time_ns=cause.event_time_ns,
            deadline_ns=cause.deadline_ns,
            correlation=cause.correlation,
        )
        decided = context.decide_again(memory.state, received, given)
        return [(event.wire_name, encode_message(event)) for event in decided], ""
    except CodecError as problem:
        return [], str(problem)
    except Exception as problem:  # noqa: BLE001  (whatever is wrong with this side, the leader's word is taken)
        return [], f"{type(problem).__name__}: {problem}"


def is_chosen(cause: str, percent: int) -> bool:
    """Tell whether a record is among so many in a hundred that are compared: by its input, the same everywhere."""
    return percent >= 100 or crc32(cause.encode()) % 100 < percent


def _take_if_given(current: Round[State], memory: KeyMemory[State], logged: Logged, epoch: int) -> None:
    """Note that a key is given to this side, if it can take it in time: later it has gone back to who led it."""
    wish = decode_message(HandOver.wire_name, logged.message)
    assert isinstance(wish, HandOver)
    if wish.to == current.side and max(logged.received_at_ns, current.received_at_ns) <= wish.until_ns:
        current.given[memory.key] = epoch


def _place_of(memory: KeyMemory[State], cause: Envelope) -> Place | None:
    first = memory.waiting[0] if memory.waiting else None
    return first.place if first is not None and first.envelope.id == cause.id else None


def _pass_applied(current: Round[State], memory: KeyMemory[State]) -> None:
    """Let go of inputs that the log has shown applied, and of their places."""
    while memory.waiting:
        first = memory.waiting[0]
        envelope = first.envelope
        if not envelope.number:
            if (memory.key, envelope.id) not in current.seen:
                return
        elif judge(memory.marks.get((envelope.sender, envelope.sender_key), (0, 0)), envelope) is not Verdict.DUPLICATE:
            return
        memory.waiting.popleft()
        if first.place is not None:
            current.batch.move_place(memory.key, *first.place)


def _seeded(delivery: Delivery, now_ns: int) -> Delivery:
    """Return what tells that a key follows from a seed on."""
    envelope = delivery.envelope
    at_ns = envelope.sent_at_ns
    compared = Compared(
        same=True, cause="", input=envelope.name, received_at_ns=at_ns, committed_at_ns=at_ns, followed_at_ns=now_ns,
        decided_ns=0, events=msgspec.Raw(b"[]"), digest="same",
    )  # fmt: skip
    told = msgspec.structs.replace(envelope, name=Compared.wire_name, sent_at_ns=now_ns)
    return Delivery(COMPARATOR, told, encode_message(compared))
