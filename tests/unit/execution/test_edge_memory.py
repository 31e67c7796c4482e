"""What the edge forgets of a shard in memory is what a snapshot leaves out."""

from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from apps.execution.contracts import OrdersReported, ReportKind
from apps.execution.edge.entries import Covered, Line, Opened, Slice, kind_of
from apps.execution.edge.memory import KEPT_NS, Memory, OrderState, from_snapshot
from apps.execution.packed import pack
from banyan.columns import Ints
from tests.unit.execution.desk import EURUSD

ACCOUNTS = 5
SECOND = 10**9


class Told:
    """Memories that are all told the same: one forgets now and then, one is made of its snapshot each time."""

    def __init__(self) -> None:
        self.memories = [Memory(), Memory()]
        self.executions: list[str] = []
        self.number = self.now_ns = 0
        numbers = list(range(1, ACCOUNTS + 1))
        self.write(
            Opened(
                numbers=numbers, accounts=[f"A-{each}" for each in numbers], brokers=["paper"] * ACCOUNTS,
                deposits_micro=[0] * ACCOUNTS, fee_rates_e9=[0] * ACCOUNTS,
            )
        )  # fmt: skip
        self.decision = 0

    def write(self, what: Any) -> None:
        self.number += 1
        line = Line(
            key="00", number=self.number, kind=kind_of(what), previous=0, id="", at_ns=self.now_ns, what=what, body=b""
        )
        for memory in self.memories:
            memory.apply(line)

    def send(self, accounts: list[int]) -> None:
        self.decision += 1
        column = np.array(sorted(set(accounts)))
        self.write(
            Slice(
                cause="", deadline_ns=self.now_ns + SECOND, rows=column.size, terms=[EURUSD], account=pack(column),
                decision=pack(np.full(column.size, self.decision)), steps=pack(np.full(column.size, 2)),
            )
        )  # fmt: skip

    def report(self, accounts: list[int], decision: int, kind: ReportKind) -> None:
        column = np.array(sorted(set(accounts)))
        self.executions = [f"e{self.number}-{each}" for each in column.tolist()]
        ones: Ints = np.ones(column.size, np.int64)
        self.write(
            OrdersReported(
                instruments=[EURUSD.id], account=column, instrument=0 * ones, decision=decision * ones,
                kind=int(kind) * ones, steps=ones if kind is ReportKind.FILLED else 0 * ones, price_e9=ones,
                execution_id=self.executions,
            )
        )  # fmt: skip

    def states(self) -> list[int]:
        return [int(each) for each in self.memories[0].orders.rows["state"]]

    def forget(self) -> None:
        for memory in self.memories:
            memory.forget(self.now_ns)
        self.memories[1] = from_snapshot(self.memories[1].to_snapshot())


def known(memory: Memory) -> dict[str, Any]:
    """Return all that decides about what comes."""
    numbers, zeros = np.arange(1, ACCOUNTS + 1), np.zeros(ACCOUNTS, np.int64)
    ids = (
        [memory.client_ids(memory.slots(numbers), zeros, zeros + each) for each in range(1, 10)] if memory.terms else []
    )
    return {
        "orders": memory.orders.rows.tolist(),
        "fills": memory.fills.rows.tolist(),
        "open": memory.open_rows().tolist(),
        "found": [memory.ids.find(each).tolist() for each in ids],
        "executions": memory.executions.ids.tolist(),
        "covered": memory.covered,
        "marks": memory.marks[: len(memory.terms), :ACCOUNTS].tolist(),
        "unknown": memory.unknown[: len(memory.terms), :ACCOUNTS].tolist(),
    }


SOME = st.lists(st.integers(1, ACCOUNTS), min_size=1, max_size=ACCOUNTS)
KINDS = st.sampled_from([ReportKind.ACCEPTED, ReportKind.FILLED, ReportKind.CANCELLED, ReportKind.UNKNOWN])
STEPS = st.one_of(
    st.tuples(st.just("send"), SOME),
    st.tuples(st.just("report"), SOME, st.integers(1, 6), KINDS),
    st.tuples(st.just("cover")),
    st.tuples(st.just("wait"), st.integers(1, 2)),
    st.tuples(st.just("forget")),
)


HEARD = ("report", [1], 1, ReportKind.ACCEPTED)


@given(st.lists(STEPS, max_size=25))
@example([("send", [1]), HEARD, ("cover",), HEARD, ("forget",)])
def test_a_memory_that_has_forgotten_is_the_one_that_its_snapshot_gives(steps):
    told = Told()
    for step in [*steps, ("forget",), ("send", [1, 3]), ("report", [1], told.decision + 1, ReportKind.FILLED)]:
        match step:
            case "send", accounts:
                told.send(accounts)
            case "report", accounts, decision, kind:
                told.report(accounts, decision, kind)
            case ("cover",):
                told.write(Covered(broker="paper", upto=told.number))
            case "wait", seconds:
                told.now_ns += seconds * (SECOND + KEPT_NS)
            case _:
                told.forget()
                assert known(told.memories[0]) == known(told.memories[1])
    assert known(told.memories[0]) == known(told.memories[1])


def test_orders_that_ended_long_ago_are_forgotten_with_their_fills_and_the_others_stay():
    told = Told()
    told.send([1, 2, 3])
    told.report([1, 2], 1, ReportKind.FILLED)
    told.report([1], 1, ReportKind.FILLED)
    told.now_ns += SECOND + KEPT_NS
    memory = told.memories[0]
    memory.forget(told.now_ns)
    assert memory.orders.size == 3, "no statement has covered it"
    told.write(Covered(broker="paper", upto=1))
    memory.forget(told.now_ns)
    assert memory.orders.rows["slot"].tolist() == [1, 2]
    assert memory.fills.rows["order"].tolist() == [0]
    assert memory.executions.find(np.array(told.executions, "S24")).tolist() == [-1]
    found = memory.client_ids(np.arange(3), np.zeros(3, np.int64), np.ones(3, np.int64))
    assert memory.ids.find(found).tolist() == [-1, 0, 1]


def test_an_order_that_was_filled_beyond_what_was_asked_for_has_ended() -> None:
    told = Told()
    told.send([1, 2])  # two steps each
    told.report([1], 1, ReportKind.FILLED)
    told.write(
        OrdersReported(
            instruments=[EURUSD.id], account=np.array([1, 2]), instrument=np.zeros(2, np.int64),
            decision=np.ones(2, np.int64), kind=np.full(2, int(ReportKind.FILLED)), steps=np.array([2, 1]),
            price_e9=np.ones(2, np.int64), execution_id=["beyond", "in part"],
        )
    )  # fmt: skip
    assert told.states() == [OrderState.FILLED, OrderState.WORKING]
    assert told.memories[0].open_rows().tolist() == [1]
