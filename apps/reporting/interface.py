"""What can be asked of reporting. Every question takes a `Scope`: rows outside it are never in an answer."""

from apps.reporting.earnings import BY, PnlRow, PositionRow, pnl, positions
from apps.reporting.quality import LatencyRow, SlippageRow, closed_at_ns, latencies, slippage
from apps.reporting.reading import (
    AccountRow,
    FillRow,
    OrderRow,
    RefusalRow,
    SignalRow,
    SkipRow,
    accounts,
    fills,
    orders,
    refusals,
    signals,
    skips,
)
from apps.reporting.reasons import Effective, settings_of
from apps.reporting.scoping import Scope, ScopeError, check
from apps.reporting.timeline import Happening, timeline

__all__ = [
    "BY",
    "AccountRow",
    "Effective",
    "FillRow",
    "Happening",
    "LatencyRow",
    "OrderRow",
    "PnlRow",
    "PositionRow",
    "RefusalRow",
    "Scope",
    "ScopeError",
    "SignalRow",
    "SkipRow",
    "SlippageRow",
    "accounts",
    "check",
    "closed_at_ns",
    "fills",
    "latencies",
    "orders",
    "pnl",
    "positions",
    "refusals",
    "settings_of",
    "signals",
    "skips",
    "slippage",
    "timeline",
]  # fmt: skip
