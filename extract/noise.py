"""The noise floor: how far the app's own code, run again over its own log, differs from what the log says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from banyan.codec import decode_envelope, decode_message, encode_message
from banyan.context import Context
from banyan.host.delivery import split_events
from banyan.host.memory import state_at
from banyan.messages import HandOver, Received, TookOver
from banyan.store import Step, Store
from extract.comparator.ledger import keep_noise, rules
from extract.comparator.rows import Allowance, compare
from extract.comparator.shapes import SHAPES
from extract.sources import code_hash


@dataclass(slots=True)
class Noise:
    """What came of it: records that gave the same, and those that did not, as (key, number)."""

    same: int = 0
    differing: list[tuple[str, int]] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many were decided again."""
        return self.same + len(self.differing)

    @property
    def rate(self) -> float:
        """The part of the records that differs."""
        return len(self.differing) / self.records if self.records else 0.0


def measure_and_keep(context: Context[Any], keys: Sequence[str], most: int) -> Noise:
    """Measure it, by the rules that hold, and remember what came of it: stages ask whether that was done."""
    noise = measure(context, keys, most, rules(context.name))
    keep_noise(context.name, code_hash(context.name), noise.records, len(noise.differing))
    return noise


def measure(context: Context[Any], keys: Sequence[str], most: int, allowed: Sequence[Allowance]) -> Noise:
    """Decide the last `most` records of each key again, as a follower with the same code would."""
    noise, store = Noise(), Store(context.name)
    try:
        numbers = {key: number for key, number in store.numbers(keys).items() if number}
        for key, number in numbers.items():
            after = max(number - most, store.first_number(key) - 1, 0)
            state, _ = state_at(context, store, key, after)
            for step in list(store.steps(key, after, number)):
                is_same, state = _again(context, state, step, allowed)
                if is_same:
                    noise.same += 1
                else:
                    noise.differing.append((key, step.number))
    finally:
        store.close()
    return noise


def _again(context: Context[Any], state: Any, step: Step, allowed: Sequence[Allowance]) -> tuple[bool, Any]:
    envelope, leaders = decode_envelope(step.header), split_events(step.events)
    if envelope.name in (HandOver.wire_name, TookOver.wire_name):
        return True, state  # no context is asked about who leads
    events = [decode_message(name, body) for name, body in leaders]
    received = Received(
        message=decode_message(envelope.name, step.body),
        id=envelope.id,
        key=step.key,
        received_at_ns=step.received_at_ns,
        event_time_ns=envelope.event_time_ns,
        deadline_ns=envelope.deadline_ns,
        correlation=envelope.correlation,
    )
    given = [(event.wire_name, encode_message(event)) for event in context.decide_again(state, received, events)]
    is_same = given == leaders or not compare(leaders, given, SHAPES[context.name], allowed).differences
    for event in events:
        state = context.evolve(state, event)
    return is_same, state
