"""The service of risk as somebody has broken it: it lets nobody have more than a few lot steps in one order."""

import dataclasses
import sys
from collections.abc import Sequence

import apps.risk.core as risk
from apps.execution.contracts import OrdersRequested
from apps.risk.contracts import Limits, LimitsChanged
from apps.risk.state import SNAPSHOT_VERSION, RiskState, from_snapshot, to_snapshot
from banyan.context import Context
from banyan.messages import Message, Received

MOST_STEPS = 3


def decide(state: RiskState, received: Received) -> Sequence[Message]:
    """Decide on a copy of the state in which the limit is another one."""
    if isinstance(received.message, OrdersRequested):
        state = from_snapshot(state.key, SNAPSHOT_VERSION, to_snapshot(state))
        risk.evolve(state, LimitsChanged(limits=Limits(order_steps_max=MOST_STEPS)))
    return risk.decide(state, received)


def broken() -> Context[RiskState]:
    """Return risk with that."""
    return dataclasses.replace(risk.RISK, decide=decide)


if __name__ == "__main__":
    risk.RISK = broken()
    from extract.starting import main

    sys.exit(main("risk"))
