"""A preview of limits against what risk then decides on the same orders."""

import random

import pytest

from apps.risk.contracts import Limits, LimitsChanged, RefusalReason, SetLimits
from apps.risk.core import RISK
from apps.risk.preview import Probe, preview
from tests.unit.risk.desk import UNIT, Desk, verdicts

ACCOUNTS = range(1, 13)


def made(seed: int) -> Desk:
    """Return a shard whose accounts hold, have orders on their way, and have lost something, at random."""
    chance, desk = random.Random(seed), Desk()
    for number in ACCOUNTS:
        desk.open(number, balance=1_000)
        desk.value(chance.randint(700, 1_100), account=number, gross=chance.randint(0, 900))
        for instrument in ("EURUSD", "GBPUSD"):
            steps = chance.randint(-40, 40)
            desk.ask(steps or 1, account=number, instrument=instrument)
            if chance.random() < 0.7:
                desk.end(account=number, instrument=instrument)
            desk.hold(chance.randint(-30, 30), account=number, instrument=instrument)
    return desk


def limits_of(chance: random.Random) -> Limits:
    return Limits(
        order_steps_max=chance.choice([-1, 25]), position_steps_max=chance.choice([-1, 30]),
        order_notional_micro_max=chance.choice([-1, 20 * UNIT]), gross_micro_max=chance.choice([-1, 600 * UNIT]),
        leverage_e9_max=chance.choice([-1, 600_000_000]), daily_loss_e9_max=chance.choice([-1, 100_000_000]),
    )  # fmt: skip


def refused(desk: Desk, probe: Probe) -> bool:
    """Return whether risk refuses an order if it is the next, in a shard that goes on from where `desk` is."""
    other = Desk()
    other.state = RISK.from_snapshot("00", RISK.snapshot_version, RISK.to_snapshot(desk.state))
    other.follower = RISK.from_snapshot("00", RISK.snapshot_version, RISK.to_snapshot(desk.state))
    other.decision, other.now = desk.decision, desk.now
    found, _ = verdicts(other.ask(probe.steps, account=probe.account, instrument=probe.instrument))
    assert RefusalReason.IMPOSSIBLE not in [reason for reason, *_ in found]
    return bool(found)


@pytest.mark.parametrize("seed", range(6))
def test_preview_counts_the_accounts_that_risk_then_refuses(seed):
    chance, desk = random.Random(seed + 100), made(seed)
    desk.give(SetLimits(limits=limits_of(chance)))
    probes = [
        Probe(account, instrument, chance.randint(1, 40) * chance.choice([-1, 1]), "s")
        for account in ACCOUNTS
        for instrument in ("EURUSD", "GBPUSD")
    ]
    change = LimitsChanged(limits=limits_of(chance))
    now = {each.account for each in probes if refused(desk, each)}
    state = RISK.from_snapshot("00", RISK.snapshot_version, RISK.to_snapshot(desk.state))
    found = preview([state], change, probes, desk.now).again
    desk.give(SetLimits(limits=change.limits))
    then = {each.account for each in probes if refused(desk, each)}
    assert (found.accounts, found.refused_now, found.refused_then) == (len(ACCOUNTS), len(now), len(then))
    assert found.newly == sorted(then - now)
    assert sum(found.reasons.values()) == len(then - now)


def test_preview_turns_round_what_is_held_and_tells_whom_a_loss_would_stop():
    desk = Desk()
    for number, equity, steps in ((1, 1_000, 10), (2, 880, -30), (3, 950, 0)):
        desk.open(number)
        desk.value(1_000, account=number)
        desk.ask(5, account=number)
        desk.end(account=number)
        desk.hold(steps, account=number)
        desk.value(equity, account=number)
    change = LimitsChanged(limits=Limits(order_steps_max=40, drawdown_e9_max=100_000_000))
    found = preview([desk.state], change, [], desk.now)
    assert found.accounts == 3
    assert (found.turned.accounts, found.turned.newly, found.turned.reasons) == (2, [2], {"drawdown": 1})
    assert found.stopped == [2]
    assert found.again.accounts == 0


def test_limits_of_one_account_concern_nobody_else():
    desk = made(3)
    change = LimitsChanged(limits=Limits(order_steps_max=0), account=4)
    found = preview([desk.state], change, [Probe(each, "EURUSD", 2) for each in ACCOUNTS], desk.now)
    assert found.again.newly == [4]
    assert found.accounts == 1
    assert found.turned.accounts <= 1
    everybody = preview([made(3).state], LimitsChanged(limits=Limits(order_steps_max=0)), [], desk.now)
    assert everybody.accounts == len(ACCOUNTS)
    assert everybody.turned.accounts > 1


def test_each_order_is_tried_as_if_it_were_the_only_one():
    desk = Desk()
    desk.open(1)
    desk.value(1_000, account=1)
    for instrument in ("EURUSD", "GBPUSD"):
        desk.ask(1, instrument=instrument)
        desk.end(instrument=instrument)
    probes = [Probe(1, "EURUSD", 60), Probe(1, "GBPUSD", 60)]
    change = LimitsChanged(limits=Limits(gross_micro_max=100 * UNIT))
    assert preview([desk.state], change, probes, desk.now).again.newly == []
    change = LimitsChanged(limits=Limits(gross_micro_max=50 * UNIT))
    assert preview([desk.state], change, probes, desk.now).again.newly == [1]
