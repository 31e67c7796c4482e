"""The life of an order, by the states of FIX 4.4 (volume 4, appendix D), with two of our own.

`REQUESTED` is before risk has approved, `DENIED` its refusal; neither is known to a venue. `UNKNOWN` is an order of
which nobody knows whether it arrived. A fill is legal after a cancel, an expiry or a reject that it crossed on its way:
such an order stays what it was, and the fill is adopted.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from apps.execution.contracts import ReportKind


class OrderState(IntEnum):
    """Where an order is."""

    REQUESTED = 0
    PENDING_NEW = 1
    NEW = 2
    PARTIALLY_FILLED = 3
    UNKNOWN = 4
    FILLED = 5
    CANCELED = 6
    REJECTED = 7
    EXPIRED = 8
    DENIED = 9


TERMINAL = frozenset(
    (OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED, OrderState.DENIED)
)

_ENDS = {
    ReportKind.CANCELLED: OrderState.CANCELED,
    ReportKind.EXPIRED: OrderState.EXPIRED,
    ReportKind.REJECTED: OrderState.REJECTED,
    ReportKind.REFUSED: OrderState.DENIED,
    ReportKind.NEVER_ARRIVED: OrderState.CANCELED,
    ReportKind.DENIED: OrderState.DENIED,
}
_UNANSWERED = (OrderState.PENDING_NEW, OrderState.UNKNOWN)
_NEVER_THERE = (ReportKind.NEVER_ARRIVED, ReportKind.REFUSED)


def state_after(state: OrderState, kind: ReportKind, *, is_partly_filled: bool, left_steps: int) -> OrderState | None:
    """Return the state that a report leads to, `left_steps` being open after it; None where it changes nothing.

    Reports come at least once and cross one another on their way, so one that says what is known already, or comes
    when the order has ended, is nothing wrong: it is passed over.
    """
    after: OrderState | None = _ENDS.get(kind)
    if kind == ReportKind.FILLED:
        after = OrderState.FILLED if left_steps == 0 else OrderState.PARTIALLY_FILLED
    elif kind == ReportKind.ACCEPTED and state in _UNANSWERED:
        after = OrderState.PARTIALLY_FILLED if is_partly_filled else OrderState.NEW
    elif kind == ReportKind.UNKNOWN and state != OrderState.UNKNOWN:
        after = OrderState.UNKNOWN
    is_denied = kind == ReportKind.DENIED
    if state in TERMINAL or is_denied != (state == OrderState.REQUESTED):
        return None
    return None if kind in _NEVER_THERE and state not in _UNANSWERED else after


def transitions() -> NDArray[np.int64]:
    """Return int64[state, kind, is partly filled, is anything left]: the state after a report, -1 where none changes.

    This is `state_after` as kernels read it.
    """
    table = np.full((len(OrderState), len(ReportKind), 2, 2), -1, np.int64)
    for state in OrderState:
        for kind in ReportKind:
            for partly in (0, 1):
                for left in (0, 1):
                    after = state_after(state, kind, is_partly_filled=bool(partly), left_steps=left)
                    if after is not None:
                        table[state, kind, partly, left] = after
    return table
