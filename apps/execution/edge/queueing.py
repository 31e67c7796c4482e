"""Released orders that wait because their broker takes only so many a second.

They wait in memory alone: the mark of the stream that brought a message moves when all its orders have gone or were
dropped, so after a crash they come again, and those that had gone are known by their decision numbers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import OrderType
from apps.execution.edge.allocating import MARGIN_NS, SECOND_NS, UNIT_DTYPE, Allocator, Limits, Units
from apps.execution.edge.link import Link
from apps.execution.edge.release import Wanted
from apps.execution.edge.shard import Held, Shard
from apps.execution.growing import Ids
from banyan.codec import Envelope
from banyan.columns import Ints

RECALLED_NS = 0
"""The deadline of what was cancelled while it waited."""


@dataclass(slots=True, eq=False)
class Batch(Held):
    """The orders of one released message that go to one broker."""

    shard: Shard
    envelope: Envelope
    deadline_ns: int
    rows: Wanted

    def rows_of(self, units: Units, *, with_guards: bool = True) -> NDArray[np.bool_]:
        """Return which rows of the message units are."""
        chosen = np.zeros(self.rows.slots.size, bool)
        chosen[units["row"]] = True
        if with_guards:
            chosen[units["guard"][units["guard"] >= 0]] = True
        return chosen


@dataclass(slots=True)
class Lane:
    """The way to a broker that has limits: what waits for it, first cancels, then orders."""

    link: Link
    allocator: Allocator
    batches: dict[int, Batch] = field(default_factory=dict)
    cancels: list[Ids] = field(default_factory=list)
    due_ns: int = 0
    _number: int = 0

    def add(self, batch: Batch, set_name: str) -> None:
        """Let the orders of a message wait."""
        units = _units(batch.rows, batch.deadline_ns)
        self._number += 1
        units["batch"] = self._number
        batch.left = units.size
        self.batches[self._number] = batch
        self.allocator.add(units, set_name)
        self.due_ns = 0

    def parts(self, units: Units) -> Iterator[tuple[Batch, Ints]]:
        """Yield the messages that units are of, the earliest first, and where these are, in the order of its rows."""
        for number in np.unique(units["batch"]).tolist():
            places = np.flatnonzero(units["batch"] == number)
            yield self.batches[number], places[np.argsort(units["row"][places])]

    def done(self, units: Units) -> None:
        """Note that units have gone, or have been refused."""
        for number, count in zip(*np.unique(units["batch"], return_counts=True), strict=True):
            self.batches[int(number)].left -= int(count)
            if not self.batches[int(number)].left:
                del self.batches[int(number)]

    def recall(self, shard: Shard, slots: Ints, instruments: Ints, decisions: Ints) -> NDArray[np.bool_]:
        """Drop orders that wait as soon as those before them are gone; return which of them do wait."""
        asked = zip(slots.tolist(), instruments.tolist(), decisions.tolist(), strict=True)
        place_of = {name: place for place, name in enumerate(asked)}
        found = np.zeros(slots.size, bool)
        waiting = self.allocator.waiting
        for number, batch in self.batches.items():
            if batch.shard is not shard:
                continue
            decision = batch.rows.column("decision")
            for at in np.flatnonzero(waiting["batch"] == number).tolist():
                for row in (int(waiting["guard"][at]), int(waiting["row"][at])):
                    name = int(batch.rows.slots[row]), int(batch.rows.instruments[row]), int(decision[row])
                    if row >= 0 and name in place_of:
                        found[place_of[name]] = True
                        waiting["deadline_ns"][at] = RECALLED_NS
        self.due_ns = 0
        return found

    def forget(self, shard: Shard) -> None:
        """Forget what waits for a shard."""
        gone = [number for number, batch in self.batches.items() if batch.shard is shard]
        self.allocator.take_out(np.flatnonzero(np.isin(self.allocator.waiting["batch"], gone)))
        for number in gone:
            del self.batches[number]

    def remember(self, shard: Shard, now_ns: int) -> None:
        """Count what an edge before this one has sent for a shard within the last second."""
        orders = shard.memory.orders.rows
        lately = (orders["sent_ns"] > now_ns - SECOND_NS - MARGIN_NS) & (orders["session"] > 0)
        lately &= shard.memory.brokers[orders["slot"]] == self.link.broker.name
        numbers = shard.memory.numbers[orders["slot"][lately]]
        self.allocator.budget.spend(numbers.size, numbers)
        self.allocator.budget.written(now_ns)

    def cancels_to_go(self, now_ns: int) -> Ids | None:
        """Take out the cancels that may go now, None where none may."""
        waiting = np.concatenate(self.cancels) if self.cancels else None
        count = min(self.allocator.budget.free(now_ns), waiting.size) if waiting is not None else 0
        if waiting is None or not count:
            return None
        self.cancels = [waiting[count:]] if count < waiting.size else []
        self.allocator.budget.spend(count, np.zeros(0, np.int64))
        self.due_ns = 0
        return waiting[:count]

    def next_ns(self, now_ns: int) -> int | None:
        """Return when something may be done for those that wait, None where nothing waits."""
        if self.cancels:
            return self.allocator.budget.next_ns(now_ns)
        return self.due_ns if self.allocator.waiting.size else None


def lanes_of(links: Iterable[Link]) -> dict[str, Lane]:
    """Return a lane for each broker that has limits, by its name."""
    found = {}
    for link in links:
        can = link.broker.capabilities
        limits = Limits(can.orders_per_second_max, can.orders_per_second_per_account_max)
        if any(limits):
            found[link.broker.name] = Lane(link, Allocator(limits))
    return found


def _units(rows: Wanted, deadline_ns: int) -> Units:
    """Return the rows of a message as units: each entry together with the protective order that comes with it."""
    guard = _guards(rows)
    heads = np.ones(rows.slots.size, bool)
    heads[guard[guard >= 0]] = False
    places = np.flatnonzero(heads)
    units: Units = np.zeros(places.size, UNIT_DTYPE)
    units["row"], units["guard"] = places, guard[places]
    units["account"] = rows.column("account")[places]
    units["instrument"] = rows.instruments[places]
    protects = rows.column("order_type")[places] == OrderType.PROTECTIVE
    units["is_urgent"] = (rows.column("reduce_only")[places] != 0) | protects
    units["deadline_ns"] = deadline_ns
    units["cost"] = 1 + (units["guard"] >= 0)
    return units


def _guards(rows: Wanted) -> Ints:
    """Return the row of each entry's protective order, -1 for none: it has the next decision number."""
    found = np.full(rows.slots.size, -1, np.int64)
    protective = np.flatnonzero(rows.column("order_type") == OrderType.PROTECTIVE)
    if not protective.size:
        return found
    keys = zip(rows.slots.tolist(), rows.instruments.tolist(), rows.column("decision").tolist(), strict=True)
    place_of = {key: place for place, key in enumerate(keys)}
    is_protective = set(protective.tolist())
    for place in is_protective:
        slot, instrument = int(rows.slots[place]), int(rows.instruments[place])
        entry = place_of.get((slot, instrument, int(rows.column("decision")[place]) - 1), -1)
        if entry >= 0 and entry not in is_protective:
            found[entry] = place
    return found
