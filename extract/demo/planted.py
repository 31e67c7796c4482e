"""The service of risk with a mistake planted in it: it lets nobody have more than 15,000 lot steps in one order."""

import dataclasses
import sys
from collections.abc import Sequence

import apps.risk.core as risk
from apps.execution.contracts import OrdersRequested
from apps.risk.contracts import Limits, LimitsChanged
from apps.risk.state import SNAPSHOT_VERSION, RiskState, from_snapshot, to_snapshot
from banyan.messages import Message, Received

MOST_STEPS = 15_000


def decide(state: RiskState, received: Received) -> Sequence[Message]:
    """Decide on a copy of the state in which the limit of all is another one."""
    if isinstance(received.message, OrdersRequested):
        state = from_snapshot(state.key, SNAPSHOT_VERSION, to_snapshot(state))
        risk.evolve(state, LimitsChanged(limits=Limits(order_steps_max=MOST_STEPS)))
    return risk.decide(state, received)


if __name__ == "__main__":
    risk.RISK = dataclasses.replace(risk.RISK, decide=decide)
    from extract.starting import main

    sys.exit(main("risk"))
