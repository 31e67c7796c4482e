"""How orders share what a broker takes in a second: which of those that wait go now. Nothing here knows a clock.

An order waits as a unit, with the protective order that comes with it. Units of one account and instrument go in the
order in which they came; of the others reduce-only and protective ones first, then sets take turns, and within a set
its accounts, each turn to what has waited for the fewest; where turns are equal the earlier deadline goes first.
"""

from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from banyan.columns import Ints

SECOND_NS = 1_000_000_000
SLICE_NS = 50_000_000
MARGIN_NS = 50_000_000
"""By how much more than a second apart orders are kept of which a broker takes so many a second: they may bunch up."""
INSTRUMENTS_MAX = 1_000_000

UNIT_DTYPE = np.dtype(
    [
        ("batch", np.int64),
        ("row", np.int64),  # of the batch
        ("guard", np.int64),  # the row of the protective order that goes with it, -1 for none
        ("account", np.int64),
        ("instrument", np.int64),
        ("is_urgent", np.int64),
        ("deadline_ns", np.int64),
        ("cost", np.int64),
        ("set", np.int64),
        ("turn", np.int64),
        ("number", np.int64),  # in the order in which they came
    ]
)
Units = NDArray[Any]
"""Rows of UNIT_DTYPE."""


class Limits(NamedTuple):
    """What a broker takes, of orders and cancels in a session, and of orders of one account; 0: as many as come."""

    per_second: int
    per_account: int = 0


class Budget:
    """What was sent over one session, and what may be sent now."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._per_slice = max(1, limits.per_second * SLICE_NS // SECOND_NS)
        self._spent: deque[tuple[int, int]] = deque()  # (when, how many)
        self._accounts: deque[tuple[int, Ints]] = deque()  # (when, whose: once for each order)
        self._unwritten: list[tuple[int, Ints]] = []

    def spend(self, count: int, accounts: Ints) -> None:
        """Count what is about to be written: `count` in all, and an order of each of `accounts`."""
        self._unwritten.append((count, accounts))

    def written(self, now_ns: int) -> None:
        """Note that what was counted since the last time has been written by now."""
        for count, accounts in self._unwritten:
            self._spent.append((now_ns, count))
            self._accounts.append((now_ns, accounts))
        self._unwritten.clear()

    def free(self, now_ns: int, cost: int = 1) -> int:
        """Return how many may be sent now, at least `cost` where a slice is empty but a second's worth is not."""
        self._forget(now_ns)
        waits = sum(count for count, _ in self._unwritten)
        in_slice = waits + sum(count for when, count in self._spent if when > now_ns - SLICE_NS)
        if not self.limits.per_second:
            return 2**62
        in_second = waits + sum(count for _, count in self._spent)
        of_slice = max(cost, self._per_slice) if in_slice == 0 else self._per_slice - in_slice
        return max(0, min(of_slice, self.limits.per_second - in_second))

    def free_of(self, accounts: Ints) -> Ints:
        """Return how many orders of each account may be sent now."""
        if not self.limits.per_account:
            return np.full(accounts.size, 2**62)
        sent = [each for _, each in (*self._accounts, *self._unwritten)]
        used, counts = np.unique(np.concatenate([accounts[:0], *sent]), return_counts=True)
        at = np.searchsorted(used, accounts)
        here = np.zeros(accounts.size, np.int64)
        known = at < used.size
        known[known] = used[at[known]] == accounts[known]
        here[known] = counts[at[known]]
        return np.asarray(np.maximum(0, self.limits.per_account - here))

    def next_ns(self, now_ns: int) -> int:
        """Return when more may be sent than now, at the latest."""
        self._forget(now_ns)
        ages = [when + SECOND_NS + MARGIN_NS for when, _ in self._spent]
        slices = [when + SLICE_NS for when, _ in self._spent if when + SLICE_NS > now_ns]
        slices += [now_ns + SLICE_NS] if self._unwritten else []
        return min([*ages, *slices], default=now_ns + SLICE_NS)

    def _forget(self, now_ns: int) -> None:
        for log in (self._spent, self._accounts):
            while log and log[0][0] <= now_ns - SECOND_NS - MARGIN_NS:
                log.popleft()  # type: ignore[attr-defined]


class Allocator:
    """The units that wait for a broker, and what it may be sent."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.budget = Budget(limits)
        self.waiting: Units = np.zeros(0, UNIT_DTYPE)
        self._sets: dict[str, int] = {}
        self._served: dict[int, int] = {}  # turns of each set since anything waits
        self._reached: dict[int, int] = {}  # the turn that a set's accounts have come to
        self._last: dict[tuple[int, int], int] = {}  # the last turn given out, by set and account
        self._number = 0

    def add(self, units: Units, set_name: str) -> None:
        """Let units of one set wait; `set`, `turn` and `number` are given to them here."""
        if not self.waiting.size:
            for each in (self._sets, self._served, self._reached, self._last):
                each.clear()
        which = self._sets.setdefault(set_name, len(self._sets))
        self._served[which] = max(self._served.get(which, 0), self._lead())
        units["set"] = which
        units["number"] = self._number + np.arange(units.size)
        self._number += units.size
        reached = self._reached.setdefault(which, 0)
        for at, (account, cost) in enumerate(zip(units["account"].tolist(), units["cost"].tolist(), strict=True)):
            turn = max(self._last.get((which, account), 0), reached)
            units["turn"][at] = turn
            self._last[which, account] = turn + cost
        self.waiting = np.concatenate([self.waiting, units])
        hurried = np.isin(_pairs(self.waiting), _pairs(units[units["is_urgent"] != 0]))
        self.waiting["is_urgent"][hurried] = 1  # what is urgent cannot overtake them

    def heads(self) -> Ints:
        """Return the units that are the first of their account and instrument, as places in `waiting`."""
        return np.unique(_pairs(self.waiting), return_index=True)[1]

    def expired(self, now_ns: int) -> Units:
        """Take out the heads whose deadline has come."""
        if not (self.waiting["deadline_ns"] <= now_ns).any():
            return self.waiting[:0]
        heads = self.heads()
        return self.take_out(heads[self.waiting["deadline_ns"][heads] <= now_ns])

    def next_units(self, now_ns: int) -> Units:
        """Take out units that may go now, the urgent ones apart: ask until there are none.

        They have had their turn; `spend` counts those that do go.
        """
        if not self.waiting.size or not self.budget.free(now_ns):
            return self.waiting[:0]
        places = self.heads()
        places = places[self._may_go(self.waiting[places], now_ns)]
        is_urgent = self.waiting["is_urgent"][places] != 0
        if is_urgent.any():
            places = places[is_urgent]
        units = self.waiting[places]
        order = np.lexsort((units["number"], units["deadline_ns"], self._turns(units)))
        places, units = places[order], units[order]
        total = np.cumsum(units["cost"])
        return self.take_out(places[total <= self.budget.free(now_ns, int(units["cost"][0]) if units.size else 1)])

    def spend(self, units: Units) -> None:
        """Count units that go."""
        accounts = np.repeat(units["account"], units["cost"])
        self.budget.spend(accounts.size, accounts)
        for which, cost in zip(units["set"].tolist(), units["cost"].tolist(), strict=True):
            self._served[which] += cost
        for which in np.unique(units["set"]).tolist():
            self._reached[which] = max(self._reached[which], int(units["turn"][units["set"] == which].max()))

    def take_out(self, places: Ints) -> Units:
        """Take units out of `waiting`."""
        taken = self.waiting[places]
        self.waiting = np.delete(self.waiting, places)
        return taken

    def next_ns(self, now_ns: int) -> int:
        """Return when there is something to do for those that wait, at the latest."""
        due = self.waiting["deadline_ns"][self.heads()].min(initial=2**62)
        return min(int(due), self.budget.next_ns(now_ns))

    def _lead(self) -> int:
        """Return the turns of the set that has had the fewest of those that wait: who comes anew begins there."""
        return min((self._served[each] for each in np.unique(self.waiting["set"]).tolist()), default=0)

    def _may_go(self, units: Units, now_ns: int) -> NDArray[np.bool_]:
        """Return which units are in time, fit at all, and leave their account within its limit."""
        in_time = units["deadline_ns"] > now_ns
        if self.limits.per_second:
            in_time &= units["cost"] <= self.limits.per_second
        if not self.limits.per_account:
            return in_time
        at = np.flatnonzero(in_time)
        order = at[_in_turn(units[at], units["account"][at])]
        before = _before(units["cost"][order], units["account"][order])
        fits = before + units["cost"][order] <= self.budget.free_of(units["account"][order])
        in_time[order[~fits]] = False
        return in_time

    def _turns(self, units: Units) -> Ints:
        """Return the turn of each unit among all sets: those its set has had, and those before it within its set."""
        order = _in_turn(units, units["set"])
        sets = units["set"][order]
        had = np.array([self._served[each] for each in sets.tolist()], np.int64)
        turns: Ints = np.zeros(units.size, np.int64)
        turns[order] = had + _before(units["cost"][order], sets)
        return turns


def _in_turn(units: Units, groups: Ints) -> Ints:
    """Return the order of units by group, and within a group as they are to go."""
    keys = (units["number"], units["deadline_ns"], units["turn"], 1 - units["is_urgent"], groups)
    return np.lexsort(keys)


def _before(cost: Ints, groups: Ints) -> Ints:
    """Return what the units before each one of its group cost; groups lie together."""
    total = np.cumsum(cost) - cost
    first = np.ones(groups.size, bool)
    first[1:] = groups[1:] != groups[:-1]
    return np.asarray(total - np.maximum.accumulate(np.where(first, total, 0)))


def _pairs(units: Units) -> Ints:
    return np.asarray(units["account"] * INSTRUMENTS_MAX + units["instrument"])
