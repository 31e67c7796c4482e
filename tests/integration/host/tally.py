"""Two contexts small enough to see through: `execution` adds numbers up, `risk` remembers the totals it is told."""

import json

from banyan.context import Context
from banyan.host import Route, same_key
from banyan.messages import Message, MessageParked, Received, RowsParked, TimerDue, TimerSet, message


@message("tally.add.v1")
class Add(Message, frozen=True, kw_only=True):
    """Add a number."""

    number: int


@message("tally.remind.v1")
class Remind(Message, frozen=True, kw_only=True):
    """Say the total again at a time."""

    at_ns: int


@message("tally.added.v1")
class Added(Message, frozen=True, kw_only=True):
    """The total after a number."""

    number: int
    total: int


@message("tally.reminded.v1")
class Reminded(Message, frozen=True, kw_only=True):
    """The total, said again."""

    total: int


POISON, POISON_ROW = -13, -14
IDLE = -15
"""A number that nobody waits for."""


def decide(state: dict, received: Received) -> list[Message]:
    match received.message:
        case Add(number=number) if number == POISON:
            raise ZeroDivisionError("poison")
        case Add(number=number) if number == POISON_ROW:
            from banyan.columns import ints

            return [RowsParked(reason="a bad row", rows=ints([0]), accounts=ints([7]))]
        case Add(number=number):
            return [Added(number=number, total=state["total"] + number)]
        case Remind(at_ns=at_ns):
            return [TimerSet(name="remind", due_ns=at_ns)]
        case TimerDue():
            return [Reminded(total=state["total"])]
        case Added(total=total):
            return [Reminded(total=total)]
    raise AssertionError(received.message)


def evolve(state: dict, event: Message) -> dict:
    match event:
        case Added(number=number, total=total):
            return {**state, "total": total, "numbers": [*state["numbers"], number]}
        case Reminded(total=total):
            return {**state, "told": [*state["told"], total]}
        case MessageParked() | RowsParked() | TimerSet():
            return state
    raise AssertionError(event)


def context(name: str) -> Context[dict]:
    return Context(
        name=name,
        new_state=lambda key: {"key": key, "total": 0, "numbers": [], "told": []},
        decide=decide,
        evolve=evolve,
        snapshot_version=1,
        to_snapshot=lambda state: json.dumps(state).encode(),
        from_snapshot=lambda key, version, written: json.loads(written),
        is_urgent=lambda state, message: not (isinstance(message, Add) and message.number == IDLE),
    )


ROUTES = [Route(Added, "risk", same_key)]
SENDERS = {"risk": ["execution"]}
