"""What signals, execution, risk and the edge send each other, by contracts alone: each can be a process apart."""

from apps.execution.book_contracts import ResolutionAsked
from apps.execution.contracts import (
    AccountOpened,
    AccountsGated,
    AccountValued,
    CancelsReleased,
    GatesLifted,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
    PositionChanged,
)
from apps.risk.contracts import OrdersApproved, OrdersRefused, TradingStateChanged
from apps.signals.contracts import TargetSet
from banyan.host import Route, every, same_key
from settings.shards import SHARDS

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
TO_EDGE = [
    Route(kind, "edge", same_key)
    for kind in (OrdersReleased, CancelsReleased, AccountOpened, AccountsGated, GatesLifted, ResolutionAsked)
]
FROM_SIGNALS = [Route(TargetSet, "execution", every(SHARDS))]
FROM_RISK = [Route(kind, "execution", same_key) for kind in (OrdersApproved, OrdersRefused, TradingStateChanged)]
