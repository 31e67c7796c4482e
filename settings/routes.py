"""What execution and risk send each other: known by contracts alone, so that each side can be a process apart."""

from apps.execution.contracts import (
    AccountOpened,
    AccountValued,
    OrdersEnded,
    OrdersFilled,
    OrdersRequested,
    OrdersUnknown,
    PositionChanged,
)
from apps.risk.contracts import OrdersApproved, OrdersRefused, TradingStateChanged
from banyan.host import Route, same_key

TO_RISK = [
    Route(kind, "risk", same_key)
    for kind in (
        OrdersRequested,
        OrdersFilled,
        OrdersEnded,
        OrdersUnknown,
        PositionChanged,
        AccountOpened,
        AccountValued,
    )
]
FROM_RISK = [Route(kind, "execution", same_key) for kind in (OrdersApproved, OrdersRefused, TradingStateChanged)]
