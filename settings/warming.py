"""Everything that live decisions compile, compiled before the first real message: a rehearsal on states of its own."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from apps.execution.contracts import (
    AccountOpened,
    AccountsReconciled,
    AccountValued,
    ConfigureSet,
    InstrumentTerms,
    OpenAccount,
    OrdersFilled,
    OrdersReleased,
    OrdersReported,
    OrdersRequested,
    PositionChanged,
    ReportKind,
    Subscribe,
)
from apps.execution.core import EXECUTION
from apps.execution.growing import decimal_ids, first_of_each
from apps.execution.paper.broker import warm as warm_broker
from apps.reporting.warming import warm as warm_reporting
from apps.risk.contracts import OrdersApproved
from apps.risk.core import RISK
from apps.signals.contracts import Quoted, TargetSet
from apps.signals.running import prepare as prepare_strategies
from banyan.columns import ints
from banyan.context import Context
from banyan.messages import Message, Received
from trading.compiled import compiler
from trading.volatility import volatility_of

_TERMS = InstrumentTerms(
    id="REHEARSAL:ANY", currency="USD", tick_e9=10_000, lot_step_e9=10**9, lot_min_steps=1, contract_e9=10**9
)


_TO_RISK = (AccountOpened, AccountValued, OrdersRequested, OrdersFilled, PositionChanged)


def prepare() -> None:
    """Load what the processes of a system share, before the first of them is forked."""
    compiler()
    rehearse()
    warm_broker()
    warm_reporting()
    prepare_strategies()
    first_of_each(decimal_ids(ints([1, 2])))
    volatility_of(np.ones(2), 1.0)


@cache
def rehearse() -> None:
    """Trade one account from its opening to a fill and back to flat, with nobody watching."""
    desk = _Rehearsal()
    opening = OpenAccount(
        account="rehearsal", number=1, client="rehearsal", broker="none", currency="USD", deposit_micro=10**11
    )
    desk.give(opening)
    desk.give(ConfigureSet(set="rehearsal", terms=[_TERMS]))
    desk.give(Subscribe(account=1, set="rehearsal"))
    desk.give(AccountsReconciled(instruments=[], account=ints(), instrument=ints(), steps=ints(), accounts=ints([1])))
    for version, weight in ((1, 0.5), (2, 0.0)):
        desk.give(_target(version, weight))


class _Rehearsal:
    """Execution and risk beside each other; an order that is released is filled at once."""

    def __init__(self) -> None:
        self._states: dict[str, Any] = {each.name: each.new_state("rehearsal") for each in (EXECUTION, RISK)}

    def give(self, message: Message) -> None:
        for event in self._applied(EXECUTION, message):
            if isinstance(event, OrdersReleased):
                self.give(_filled(event))
            elif isinstance(event, _TO_RISK):
                for answer in self._applied(RISK, event):
                    if isinstance(answer, OrdersApproved):
                        self.give(answer)

    def _applied(self, context: Context[Any], message: Message) -> Sequence[Message]:
        received = Received(message=message, id="rehearsal", key="rehearsal", received_at_ns=1, event_time_ns=1)
        events = context.decide(self._states[context.name], received)
        for event in events:
            self._states[context.name] = context.evolve(self._states[context.name], event)
        return events


def _target(version: int, weight: float) -> TargetSet:
    zero = ints([0])
    none: list[float | None] = [None]
    return TargetSet(
        set="rehearsal",
        set_version=1,
        decided_at_ns=1,
        quotes=[Quoted(instrument=_TERMS.id, bid_ticks=100_000, ask_ticks=100_002)],
        version=ints([version]),
        mode=zero,
        value=[weight],
        entry=zero,
        price=none,
        limit_price=none,
        stop_loss=none,
        take_profit=none,
        trail=none,
        time_in_force=zero,
        expires_ns=zero,
    )


def _filled(released: OrdersReleased) -> OrdersReported:
    count = released.steps.size
    return OrdersReported(
        instruments=[each.id for each in released.terms],
        account=released.account,
        instrument=released.instrument,
        decision=released.decision,
        kind=ints([ReportKind.FILLED] * count),
        steps=released.steps,
        price_e9=ints([10**9] * count),
        fee_micro=ints([1] * count),
        at_ns=ints([1] * count),
        code=ints([0] * count),
        execution_id=[f"rehearsal-{released.decision[0]}-{row}" for row in range(count)],
    )
