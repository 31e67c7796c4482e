"""A rehearsal of execution on a state of its own: it knows contracts of others, and nothing else of them."""

from collections.abc import Callable, Iterable
from typing import Any

from apps.execution.contracts import (
    AccountsReconciled,
    ConfigureSet,
    InstrumentTerms,
    OpenAccount,
    OrdersReleased,
    OrdersReported,
    OrdersRequested,
    ReportKind,
    Subscribe,
)
from apps.execution.core import EXECUTION
from apps.execution.people import NET_TIMER
from apps.risk.contracts import OrdersApproved, OrdersRefused
from apps.signals.contracts import Quoted, TargetSet
from banyan.codec import decode_message, encode_message
from banyan.columns import ints
from banyan.messages import Message, Received, TimerDue

_TERMS = InstrumentTerms(
    id="REHEARSAL:ANY", currency="USD", tick_e9=10_000, lot_step_e9=10**9, lot_min_steps=1, contract_e9=10**9
)
Verdicts = Callable[[Message], Iterable[Message]]
"""From an event of execution, what risk says to it."""


STEPS_MAX = 60_000
"""Of an order that is approved: the last target that is rehearsed needs more."""


def approve(event: Message) -> Iterable[Message]:
    """Return the approval of what is requested, the refusal of orders of more than STEPS_MAX."""
    if isinstance(event, OrdersRequested) and event.steps[0] > STEPS_MAX:
        one = ints([1])
        yield OrdersRefused(
            instruments=[each.id for each in event.terms], account=event.account, instrument=event.instrument,
            decision=event.decision, reason=one, level=one, bound=one, actual=one,
        )  # fmt: skip
    elif isinstance(event, OrdersRequested):
        yield OrdersApproved(
            instruments=[each.id for each in event.terms], account=event.account, instrument=event.instrument,
            decision=event.decision, steps=event.steps, at_ns=1, step_values_micro=ints([1]),
            step_value=ints([0] * event.steps.size),
        )  # fmt: skip


def rehearse_execution(verdicts: Verdicts = approve) -> None:
    """Trade one account from its opening to a fill, back to flat, and to an order that is refused.

    An order that is released is filled at once.
    """
    state: Any = EXECUTION.new_state("rehearsal")

    def give(message: Message) -> None:
        nonlocal state
        received = received_as_sent(message)
        events = list(EXECUTION.decide(state, received))
        for event in events:
            state = EXECUTION.evolve(state, event)
        for event in events:
            for answer in [_filled(event)] if isinstance(event, OrdersReleased) else verdicts(event):
                give(answer)

    give(
        OpenAccount(
            account="rehearsal", number=1, client="rehearsal", broker="none", currency="USD", deposit_micro=10**11
        )
    )
    give(ConfigureSet(set="rehearsal", terms=[_TERMS]))
    give(Subscribe(account=1, set="rehearsal"))
    give(AccountsReconciled(instruments=[], account=ints(), instrument=ints(), steps=ints(), accounts=ints([1])))
    for version, weight in ((1, 0.5), (2, 0.0), (3, 1.0)):
        give(_target(version, weight))
    give(TimerDue(name=NET_TIMER, due_ns=1))


def received_as_sent(message: Message) -> Received:
    """Return a message as it comes in: decoded, since kernels are compiled apart for columns that cannot be written."""
    decoded = decode_message(message.wire_name, encode_message(message))
    return Received(message=decoded, id="rehearsal", key="rehearsal", received_at_ns=1, event_time_ns=1)


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
