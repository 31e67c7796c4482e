"""Whatever goes wrong, the invariants hold afterwards: faults drawn from a seed, which the test's name tells."""

import errno
import os
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from apps.execution.contracts import AccountsReconciled
from apps.execution.edge.edge import EdgeSettings
from apps.execution.edge.kill_switch import KillSwitch
from apps.execution.edge.paper import PaperBroker
from apps.execution.paper.broker import Options
from apps.execution.paper.ledger import Ledger
from banyan.columns import ints
from tests.fault.pipeline import ACCOUNTS, KEYS, SECOND, Pipeline

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
SEEDS = [pytest.param(7, id="seed 7")] + [
    pytest.param(seed, id=f"seed {seed}", marks=pytest.mark.soak) for seed in range(100, 110)
]
POINTS = (
    *(f"{name}.{side}-commit" for name in ("signals", "execution", "risk", "edge") for side in ("before", "after")),
    "edge.before-write", "edge.mid-write", "edge.after-write",
    "paper.before-append", "paper.before-sync", "paper.after-sync", "paper.before-answer", "paper.after-answer",
)  # fmt: skip


def dies_or_trades(pipeline: Pipeline) -> bool:
    if pipeline.crashes.armed and pipeline.dice.random() < 0.05:
        pipeline.signal()
    return not pipeline.crashes.armed


@pytest.mark.parametrize("seed", SEEDS)
def test_a_process_that_dies_at_any_crash_point_loses_and_doubles_nothing(make, seed):
    pipeline = make(seed)
    for point in POINTS:
        pipeline.crashes.armed = point
        pipeline.signal()
        pipeline.until(lambda: dies_or_trades(pipeline), f"a death at {point}")
        assert pipeline.crashes.happened[-1] == point
    pipeline.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_processes_that_die_at_random_lose_and_double_nothing(make, seed):
    pipeline = make(seed)
    pipeline.crashes.chance = 0.03
    pipeline.trade(12)
    pipeline.crashes.chance = 0.0
    assert pipeline.crashes.happened
    pipeline.check()


def most_in_a_second(at_ns: np.ndarray) -> int:
    """Return how many of these times lie within a second of each other, at the most."""
    times = np.sort(at_ns)
    return int((np.searchsorted(times, times + SECOND) - np.arange(times.size)).max(initial=0))


@pytest.mark.parametrize("seed", SEEDS)
def test_orders_that_wait_for_what_their_broker_takes_go_once_or_never_whoever_dies(make, seed):
    pipeline = make(seed, options=Options(orders_per_second_max=6, orders_per_second_per_account_max=3))
    pipeline.crashes.chance = 0.01
    pipeline.trade(12)
    pipeline.crashes.chance = 0.0
    sent = pipeline.check().sent
    is_sent = (sent["code"] == 0) & (sent["is_queried"] == 0)
    account, at_ns = sent["account"][is_sent], sent["at_ns"][is_sent]
    assert 0 < most_in_a_second(at_ns) <= 5, "the broker was sent more than the edge was told that it takes"
    assert max(most_in_a_second(at_ns[account == number]) for number in ACCOUNTS) <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_that_come_twice_late_out_of_order_or_never_are_applied_once(make, seed):
    pipeline = make(seed)
    pipeline.share = pipeline.transport.share = 0.3
    pipeline.trade(15)
    pipeline.share = pipeline.transport.share = 0.0
    pipeline.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broker_that_is_killed_again_and_again_has_every_order_once(make, seed):
    pipeline = make(seed)
    for _ in range(4):
        pipeline.trade(2)
        pipeline.kill_broker()
        pipeline.start_broker()
    pipeline.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_broker_whose_disk_is_full_answers_nobody_and_has_every_order_once(make, seed, monkeypatch):
    pipeline = make(seed)
    append = Ledger.append

    def half(self: Ledger, records: Any) -> None:
        if pipeline.dice.random() < 0.3:
            pipeline.others += 1
            os.write(self._file, b"half a group")
            raise OSError(errno.ENOSPC, "No space left on device")
        append(self, records)

    for _ in range(4):
        monkeypatch.setattr(Ledger, "append", half)
        pipeline.signal()
        pipeline.turns(10)
        monkeypatch.setattr(Ledger, "append", append)
        pipeline.trade(1)
    pipeline.check()


FAULTS = (
    {"reject": 0.4}, {"requote": 0.4}, {"partial": 0.6}, {"late": 0.5, "late_ms": 50.0}, {"lost_reply": 0.3},
    {"disconnect": 0.4}, {"latency_ms": 30.0},
    {"reject": 0.1, "partial": 0.2, "late": 0.2, "late_ms": 50.0, "lost_reply": 0.1, "disconnect": 0.1},
)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_what_a_broker_does_wrong_is_found_out_and_booked_once(make, seed):
    pipeline = make(seed)
    for faults in FAULTS:
        pipeline.inject(seed=seed, **faults)
        pipeline.trade(4)
        pipeline.turns(40)
    pipeline.inject()
    pipeline.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_poison_is_put_aside_and_everything_else_goes_on(make, seed):
    pipeline = make(seed)
    pipeline.trade(2)
    pipeline.say(AccountsReconciled(instruments=[], account=ints([]), instrument=ints([]), steps=ints([]),
                                    accounts=ints([99])), "execution", "00")  # fmt: skip
    pipeline.say(AccountsReconciled(instruments=[], account=ints([]), instrument=ints([]), steps=ints([]),
                                    accounts=ints([1])), "risk", "01")  # fmt: skip
    pipeline.injected = 2
    pipeline.trade(4)
    pipeline.check()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("minutes", [1, pytest.param(-1, marks=pytest.mark.soak)])
def test_a_clock_that_is_set_while_orders_are_on_their_way_moves_no_deadline(make, seed, minutes):
    pipeline = make(seed)
    pipeline.trade(3)
    pipeline.clock.shift_ns = minutes * 60 * SECOND
    pipeline.others += 1
    pipeline.trade(3)
    facts, found = pipeline.settle()
    assert found == []
    pipeline.until(lambda: abs(pipeline.edge.time.step_ns()) < SECOND, "trust in the new time")
    pipeline.trade(3)
    assert len(pipeline.check().trades) > len(facts.trades)


def test_orders_behind_a_thrown_kill_switch_are_never_sent_and_others_go_when_it_is_lifted(make):
    pipeline = make(7)
    pipeline.trade(2)
    pipeline.check()
    for _ in range(5):
        pipeline.signal()
    KillSwitch(pipeline.switch).throw("a test")
    pipeline.signal(0.7)
    facts = pipeline.check()
    assert facts.thrown_ns is not None
    before = len(facts.trades)
    KillSwitch(pipeline.switch).lift()
    pipeline.signal(0.3)
    pipeline.turns(50)
    assert len(pipeline.check().trades) > before


def test_what_a_paused_edge_writes_after_its_lease_went_is_refused_by_the_broker(make, monkeypatch):
    pipeline = make(7)
    pipeline.check(trades=0)
    paused: list[tuple[PaperBroker, Any]] = []
    submit = PaperBroker.submit

    def pause(self: PaperBroker, orders: Any) -> None:
        paused.append((self, orders))

    monkeypatch.setattr(PaperBroker, "submit", pause)
    pipeline.signal(0.4)
    pipeline.until(lambda: paused, "an order on its way")
    monkeypatch.setattr(PaperBroker, "submit", submit)
    zombie = pipeline.edge
    pipeline.edge = pipeline.new_edge("two")  # takes the leases when they run out
    pipeline.worker._edge = pipeline.edge
    pipeline.edge.open(KEYS)
    pipeline.until(lambda: len(pipeline.edge.shards) == len(KEYS), "another edge")
    pipeline.until(lambda: all(link.session for link in pipeline.edge.links.values()), "its session")
    for broker, orders in paused:
        submit(broker, orders)
    facts = pipeline.check(trades=0)
    assert facts.placed["is_rejected"].any(), "the broker took what a zombie wrote"
    zombie.ledger.close()
    for link in zombie.links.values():
        link.broker.close()


@pytest.mark.parametrize(
    "only",
    [
        pytest.param(["execution"], id="execution"),
        pytest.param(["edge"], id="edge", marks=pytest.mark.soak),
        pytest.param([], id="all", marks=pytest.mark.soak),
    ],
)
def test_databases_that_are_restored_to_an_earlier_time_take_back_what_was_sent_since(make, tmp_path, only):
    pipeline = make(7)
    pipeline.trade(4)
    pipeline.check()
    call_command("backup", str(tmp_path / "backup"))
    pipeline.trade(6)
    before = pipeline.check()
    pipeline.stop()
    pipeline.others += 1
    call_command("restore", str(tmp_path / "backup"), only=only)
    pipeline.start()
    pipeline.until(pipeline.is_ready, "readiness")
    facts = pipeline.check()
    # What was released within a second of the edge's new life is only asked for: its clock and execution's may differ.
    bound_ns = EdgeSettings().clock_bound_ns
    pipeline.until(lambda: pipeline.clock.wall_ns() > facts.restored_ns + bound_ns, "time in which orders are sent")
    pipeline.version += 100
    pipeline.trade(4)
    assert len(pipeline.check().trades) > len(before.trades)
