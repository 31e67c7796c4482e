"""What a bounded context is to its host: a name and pure functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from banyan.messages import Message, Received

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Context(Generic[State]):
    """A context's decisions. None of its functions knows a clock, a database, a random source or a logger.

    `decide` returns the events that an input gives in the state of its key, and changes nothing. `evolve` returns the
    state after an event, and may change the one it is given; it must not depend on anything but its two arguments, so
    that replaying a log's events gives the same state in every process. A `TimerSet` among the events asks the host for
    a `TimerDue`, a `RowsParked` for dead letters. `is_urgent` tells of a message whether somebody waits for what
    follows from it in a state: others are applied when there is nothing else to do. `to_snapshot` writes a state as
    bytes under the schema `snapshot_version`; `from_snapshot` reads the bytes of that version and of every one before.

    Where a decision was told something beside its input, which stands in the events that it gave, `again` decides the
    input once more with that. Where events say which state they have led to, `strays` tells of another state so.
    """

    name: str
    new_state: Callable[[str], State]
    decide: Callable[[State, Received], Sequence[Message]]
    evolve: Callable[[State, Message], State]
    snapshot_version: int
    to_snapshot: Callable[[State], bytes]
    from_snapshot: Callable[[str, int, bytes], State]
    is_urgent: Callable[[State, Message], bool] = lambda _, __: True
    again: Callable[[State, Received, Sequence[Message]], Sequence[Message]] | None = None
    strays: Callable[[State, Sequence[Message]], bool] = lambda _, __: False

    def decide_again(self, state: State, received: Received, given: Sequence[Message]) -> Sequence[Message]:
        """Return the events of an input that has been decided on before, by whoever has `given` these."""
        return self.decide(state, received) if self.again is None else self.again(state, received, given)
