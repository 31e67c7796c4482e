"""A broker's budget: never exceeded, never idle while somebody may use it, fair, in order, and nothing late."""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.edge.allocating import SECOND_NS, SLICE_NS, UNIT_DTYPE, Allocator, Limits

MILLISECOND = 1_000_000
NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Order:
    at_ns: int
    set: str
    account: int
    instrument: int
    is_urgent: bool
    cost: int
    deadline_ns: int

    @property
    def pair(self) -> tuple[int, int]:
        return self.account, self.instrument


@dataclass
class Day:
    """Orders that come, go and are dropped, at an allocator that is asked when it says that it is to be."""

    limits: Limits
    sent: list[tuple[int, Order]] = field(default_factory=list)
    dropped: list[tuple[int, Order]] = field(default_factory=list)
    waiting: list[Order] = field(default_factory=list)
    came: list[Order] = field(default_factory=list)

    def run(self, orders: list[Order]) -> None:
        """Let orders come; afterwards everything has gone or was dropped."""
        allocator = Allocator(self.limits)
        kept: dict[int, Order] = {}
        coming = sorted(orders, key=lambda order: order.at_ns)
        now_ns = 0
        while coming or self.waiting:
            while coming and coming[0].at_ns <= now_ns:
                together = [each for each in coming if (each.at_ns, each.set) == (coming[0].at_ns, coming[0].set)]
                coming = [each for each in coming if (each.at_ns, each.set) != (coming[0].at_ns, coming[0].set)]
                made = units(together)
                made["batch"] = len(kept) + np.arange(len(together))
                kept.update(enumerate(together, len(kept)))
                self.waiting += together
                self.came += together
                allocator.add(made, together[0].set)
            did = True
            while did:
                gone = allocator.expired(now_ns)
                self._take(gone, kept, now_ns, self.dropped)
                going = allocator.next_units(now_ns)
                self._take(going, kept, now_ns, self.sent)
                allocator.spend(going)
                did = gone.size + going.size > 0
            allocator.budget.written(now_ns)
            self.check_that_nobody_waits_in_vain(now_ns)
            dues = [coming[0].at_ns] if coming else []
            dues += [allocator.next_ns(now_ns)] if allocator.waiting.size else []
            if dues:
                assert min(dues) > now_ns
                now_ns = min(dues)

    def _take(self, units, kept, now_ns, to) -> None:
        for batch in units["batch"].tolist():
            self.waiting.remove(kept[batch])
            to.append((now_ns, kept[batch]))

    def heads(self) -> list[Order]:
        first: dict[tuple[int, int], Order] = {}
        for order in self.waiting:
            first.setdefault(order.pair, order)
        return list(first.values())

    def check_that_nobody_waits_in_vain(self, now_ns: int) -> None:
        lately = [(at, order) for at, order in self.sent if at > now_ns - SECOND_NS - 50 * MILLISECOND]
        free = self.limits.per_second - sum(order.cost for _, order in lately) if self.limits.per_second else 10**9
        in_slice = sum(order.cost for at, order in lately if at > now_ns - SLICE_NS)
        of_slice = max(1, self.limits.per_second // 20) - in_slice if self.limits.per_second else 10**9
        heads = self.heads()
        used: dict[int, int] = defaultdict(int)
        for _, order in lately:
            used[order.account] += order.cost
        # A pair of orders may wait for the room of two, and what comes after it waits behind it.
        dearest: dict[int, int] = defaultdict(int)
        for order in heads:
            dearest[order.account] = max(dearest[order.account], order.cost)
        for order in heads:
            assert order.deadline_ns > now_ns, "what is late is dropped"
            fits = (
                not self.limits.per_account or used[order.account] + dearest[order.account] <= self.limits.per_account
            )
            assert not fits or free < max(dearest.values()) or of_slice < max(dearest.values())


def units(orders):
    made = np.zeros(len(orders), UNIT_DTYPE)
    made["guard"] = -1
    for name in ("account", "instrument", "is_urgent", "deadline_ns", "cost"):
        made[name] = [getattr(order, name) for order in orders]
    return made


def order_in(milliseconds: int):
    return st.builds(
        lambda at, life, **rest: Order(at * MILLISECOND, deadline_ns=(at + life) * MILLISECOND, **rest),
        at=st.integers(0, milliseconds), life=st.integers(1, 3_000), set=st.sampled_from("abc"),
        account=st.integers(1, 5), instrument=st.integers(0, 1), is_urgent=st.booleans(),
        cost=st.sampled_from((1, 1, 2)),
    )  # fmt: skip


LIMITS = st.builds(Limits, per_second=st.sampled_from((0, 2, 7, 40, 200)), per_account=st.sampled_from((0, 2, 5)))


def most_in_a_second(sent: list[tuple[int, int]], span_ns: int = SECOND_NS) -> int:
    return max((sum(n for at, n in sent if end - span_ns < at <= end) for end, _ in sent), default=0)


@given(LIMITS, st.lists(order_in(1_500), max_size=60))
def test_no_order_is_late_lost_out_of_order_or_beyond_what_the_broker_takes(limits, orders):
    day = Day(limits)
    day.run(orders)
    assert sorted(map(id, [each for _, each in day.sent + day.dropped])) == sorted(map(id, orders))
    assert all(order.at_ns <= at < order.deadline_ns for at, order in day.sent)
    if limits.per_second:
        costs = [(at, order.cost) for at, order in day.sent]
        assert most_in_a_second(costs) <= limits.per_second
        assert most_in_a_second(costs, SLICE_NS) <= max(2, limits.per_second // 20)
    if limits.per_account:
        by_account = defaultdict(list)
        for at, order in day.sent:
            by_account[order.account].append((at, order.cost))
        assert all(most_in_a_second(sent) <= limits.per_account for sent in by_account.values())
    came = {id(order): number for number, order in enumerate(day.came)}
    for pair in {order.pair for order in orders}:
        numbers = [came[id(order)] for _, order in day.sent if order.pair == pair]
        assert numbers == sorted(numbers)


def test_what_is_dropped_would_have_been_late():
    day = Day(Limits(20))
    orders = [Order(0, "a", account, 0, False, 1, 500 * MILLISECOND) for account in range(30)]
    day.run(orders)
    assert len(day.sent) == 10  # one in 50 ms
    assert {at for at, _ in day.dropped} == {500 * MILLISECOND}


def test_reduce_only_orders_go_before_others_and_take_with_them_what_they_may_not_overtake():
    day = Day(Limits(20))
    orders = [Order(0, "a", account, 0, False, 1, SECOND_NS) for account in range(10)]
    orders += [Order(0, "b", 7, 0, True, 1, SECOND_NS), Order(0, "b", 20, 0, True, 1, SECOND_NS)]
    day.run(orders)
    first = [(order.account, order.is_urgent) for _, order in day.sent[:3]]
    assert sorted(first) == [(7, False), (7, True), (20, True)]


@given(st.integers(1, 4), st.integers(0, 300), st.lists(st.integers(1, 20), min_size=2, max_size=3), st.randoms())
def test_sets_that_wait_get_the_same_whoever_came_first_and_however_much_they_want(busy, head_start_ms, counts, random):
    """One that has come with a thousand orders before does not make the others wait for all of them."""
    day = Day(Limits(100))
    accounts = random.sample(range(10_000), 30 * busy)  # one waits for another only within an account
    orders = [Order(0, "busy", account, 0, False, 1, 60 * SECOND_NS) for account in accounts]
    start_ns = head_start_ms * MILLISECOND
    for name, count in enumerate(counts):
        mine = [Order(start_ns, str(name), 20_000 + 100 * name + k, 0, False, 1, 60 * SECOND_NS) for k in range(count)]
        orders += mine
    day.run(orders)
    since = [order.set for at, order in day.sent if at >= start_ns]
    left = {"busy": since.count("busy"), **{str(name): count for name, count in enumerate(counts)}}
    served = dict.fromkeys(left, 0)
    for name in since:
        waiting = [each for each in left if served[each] < left[each]]
        served[name] += 1
        turns = [served[each] for each in waiting]
        assert max(turns) - min(turns) <= 1


def test_accounts_of_a_set_take_turns():
    day = Day(Limits(100))
    orders = [Order(0, "a", 1, instrument, False, 1, 9 * SECOND_NS) for instrument in range(50)]
    orders += [Order(MILLISECOND, "a", 2, instrument, False, 1, 9 * SECOND_NS) for instrument in range(10)]
    day.run(orders)
    second = [order.account for _, order in day.sent].index(2)
    turns = [order.account for _, order in day.sent[second : second + 20]]
    assert turns.count(1) == turns.count(2) == 10


def test_the_nearer_deadline_goes_first_where_turns_are_equal():
    day = Day(Limits(20))
    day.run([Order(0, "a", account, 0, False, 1, (9 - account) * SECOND_NS) for account in range(1, 6)])
    assert [order.account for _, order in day.sent] == [5, 4, 3, 2, 1]


def test_cancels_count_and_what_another_edge_has_sent():
    budget = Allocator(Limits(40)).budget
    budget.spend(39, NONE)
    budget.written(0)
    assert budget.free(SLICE_NS) == 1
    budget.spend(1, NONE)
    assert budget.free(SLICE_NS) == 0
    budget.written(SLICE_NS)
    assert budget.free(SECOND_NS + 49 * MILLISECOND) == 0
    assert budget.free(SECOND_NS + 50 * MILLISECOND) == 2
