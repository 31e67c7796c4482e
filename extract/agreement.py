"""What must hold between the sides of a context: one leader for each key and epoch, one log, no strange difference."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge

import psycopg

from banyan.codec import decode_envelope, decode_message
from banyan.facade import Side
from banyan.messages import HandOver, TookOver
from banyan.store import Step
from extract.comparator.ledger import added, watched
from extract.sides import fences, sides_of, store_of

DIFFERENCES = "14. every difference of a dual run is explained"
LEADERS = "15. each key has one leader for an epoch: no message is answered by both sides or by neither"


def violations(context: str, keys: Sequence[str]) -> list[str]:
    """Return what does not hold, empty where all does. Raises psycopg.Error where the app's side cannot be reached."""
    sums = added(watched(context)[1].values())
    found = []
    if sums["differing"] or sums["digests_differing"]:
        told = f"{sums['differing']:,} records and {sums['digests_differing']:,} digests differ that no rule allows"
        found.append(f"{DIFFERENCES}: {told}")
    sides = sides_of(context)
    try:
        rows = {side: fences(context, side, keys) for side in sides}
    except psycopg.Error:
        sides, rows = [Side.APP], {Side.APP: fences(context, Side.APP, keys)}
    for key in keys:
        leads = [side for side in sides if key in rows[side] and rows[side][key].is_leading]
        if len(sides) == 2 and key in rows[Side.APP] and len(leads) != 1:
            found.append(f"{LEADERS}: {key} is led by {' and '.join(leads) or 'nobody'}")
        found += [
            f"{LEADERS}: {key}: {each}" for each in disagreements({side: log(context, side, key) for side in sides})
        ]
    return found


def log(context: str, side: Side, key: str) -> Iterator[Step]:
    """Yield the log of a key as a side has it."""
    with store_of(context, side) as store:
        yield from store.steps(key, 0)


def disagreements(logs: Mapping[Side, Iterable[Step]]) -> Iterator[str]:
    """Yield where logs of one key differ from one another, or an epoch ends or begins otherwise than it may.

    They are read side by side, however long they are.
    """
    epochs = {side: _Epochs(side) for side in logs}
    known: tuple[Side, Step] | None = None
    for side, step in merge(*(_of(side, steps) for side, steps in logs.items()), key=lambda each: each[1].number):
        yield from epochs[side].take(step)
        if known is not None and known[1].number == step.number and known[1][1:] != step[1:]:
            yield f"record {step.number} of the {side} is not that of the {known[0]}"
        known = side, step


def _of(side: Side, steps: Iterable[Step]) -> Iterator[tuple[Side, Step]]:
    return ((side, step) for step in steps)


class _Epochs:
    """Sees the records of a side one after the other, and where an epoch ends or begins otherwise than it may."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._before: Step | None = None
        self._has_ended = False
        self._leader = str(Side.APP)  # a log begins in the app; of one that does not, less is noticed

    def take(self, step: Step) -> Iterator[str]:
        """Take in the next record, and yield what is wrong with its epoch."""
        before, self._before = self._before, step
        if before is not None and step.number == before.number + 1:
            if step.epoch < before.epoch:
                yield f"epoch {step.epoch} of record {step.number} of the {self._side} comes after epoch {before.epoch}"
            if self._has_ended and step.epoch == before.epoch:
                yield f"record {step.number} of the {self._side} was answered after its epoch had ended"
        wish = _said(step)
        self._leader = wish.side if isinstance(wish, TookOver) else self._leader
        self._has_ended = (
            isinstance(wish, HandOver) and step.received_at_ns <= wish.until_ns and wish.to != self._leader
        )


def _said(step: Step) -> HandOver | TookOver | None:
    """Return what a record says of who leads, None where it is about something else."""
    name = decode_envelope(step.header).name
    if name not in (HandOver.wire_name, TookOver.wire_name):
        return None
    message = decode_message(name, step.body)
    assert isinstance(message, HandOver | TookOver)
    return message
