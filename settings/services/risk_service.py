"""What the service of risk is made of."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.execution.contracts import AccountOpened, InstrumentTerms, OrdersRequested
from apps.risk.core import RISK
from banyan.columns import ints
from banyan.context import Context
from banyan.messages import Received
from extract.service import Service
from settings.routes import FROM_RISK
from settings.shards import SHARDS
from settings.topics import TOPICS

HOSTED_CONTEXTS: Mapping[str, Context[Any]] = {RISK.name: RISK}


def made() -> Service:
    """Return the service."""
    return Service(
        context=RISK,
        routes=FROM_RISK,
        receivers=["execution"],
        senders=["execution"],
        keys=SHARDS,
        cluster=settings.KAFKA,
        topics=TOPICS,
        leads_new="risk" in settings.EXTRACTED,
        rehearse=rehearse,
    )


def rehearse() -> None:
    """Check one order of an account that nobody has, with nobody watching."""
    opened = AccountOpened(
        account="rehearsal", number=1, client="rehearsal", broker="none", currency="USD", leverage_e9=10**9,
        hedging=False, time_zone="UTC", balance_micro=10**11,
    )  # fmt: skip
    terms = InstrumentTerms(
        id="REHEARSAL:ANY", currency="USD", tick_e9=10_000, lot_step_e9=10**9, lot_min_steps=1, contract_e9=10**9
    )
    one = ints([1])
    wanted = OrdersRequested(
        set="rehearsal", decided_at_ns=1, terms=[terms], bid_ticks=ints([100_000]), ask_ticks=ints([100_002]),
        account=one, instrument=ints([0]), decision=one, steps=one, step_value_micro=one, reduce_only=ints([0]),
    )  # fmt: skip
    state = RISK.new_state("rehearsal")
    for message in (opened, wanted):
        received = Received(message=message, id="rehearsal", key="rehearsal", received_at_ns=1, event_time_ns=1)
        for event in RISK.decide(state, received):
            state = RISK.evolve(state, event)
