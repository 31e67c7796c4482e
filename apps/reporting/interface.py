"""What can be asked of reporting. Every question takes a `Scope`: rows outside it are never in an answer."""

from apps.reporting.account import (
    FoundAccount,
    Hold,
    Point,
    Selection,
    SetSettings,
    account,
    equity_curve,
    find_accounts,
    holds_of,
    selection,
    setting_of,
    settings_now,
    skips_of,
)
from apps.reporting.charted import (
    FillMark,
    QuoteRow,
    TargetMark,
    fill_marks,
    last_quotes,
    quote_of,
    target_marks,
)
from apps.reporting.earnings import BY, PnlRow, PositionRow, pnl, positions
from apps.reporting.of_sets import (
    Answered,
    Changed,
    FollowersChanged,
    Subscriber,
    answered,
    followers,
    followers_changed,
    subscribers,
    told_of_set,
)
from apps.reporting.onward import (
    FeedEventRow,
    Place,
    clients_of,
    feed_events_onward,
    fills_onward,
    log_marks,
    orders_onward,
    places_at,
    positions_onward,
    refusals_onward,
    signals_onward,
)
from apps.reporting.overview import (
    BrokerRow,
    Funds,
    HeldBySet,
    Minute,
    Restriction,
    SetNow,
    SetRow,
    Speed,
    Today,
    Unresolved,
    brokers,
    by_set,
    funds,
    held,
    marks,
    minutes,
    of_set,
    restrictions,
    speed,
    today,
    unresolved,
)
from apps.reporting.quality import LatencyRow, SlippageRow, closed_at_ns, latencies, slippage
from apps.reporting.reading import (
    ORDER_STATES,
    AccountRow,
    FillRow,
    OrderRow,
    SignalRow,
    accounts,
    fills,
    fills_from,
    fills_of,
    order,
    orders,
    place_of,
    signals,
)
from apps.reporting.reasons import Effective, settings_of
from apps.reporting.restraint import (
    Involved,
    LastOrder,
    RefusalCount,
    Stopped,
    instruments_traded,
    involved_in,
    last_orders,
    refusals_by_code,
    stopped_by_losses,
)
from apps.reporting.scoping import Scope, ScopeError, check
from apps.reporting.signalled import Outcome, Said, Wanted, outcome_of, signal, signals_from
from apps.reporting.timeline import Happening, timeline
from apps.reporting.unfolding import (
    RefusalRow,
    SkipRow,
    refusals,
    refusals_from,
    refusals_of,
    skips,
    skips_from,
)
from apps.reporting.unmet import UnmetRow, unmet
from apps.reporting.words import refusal_in_words, skip_in_words, with_reasons

__all__ = [
    "BY", "ORDER_STATES", "AccountRow", "Answered", "BrokerRow", "Changed", "Effective", "FeedEventRow", "FillMark",
    "FillRow", "FollowersChanged", "FoundAccount", "Funds", "Happening", "HeldBySet", "Hold", "Involved",
    "LastOrder", "LatencyRow", "Minute", "OrderRow", "Outcome", "Place", "PnlRow", "Point", "PositionRow",
    "QuoteRow", "RefusalCount", "RefusalRow", "Restriction", "Said", "Scope", "ScopeError", "Selection", "SetNow",
    "SetRow", "SetSettings", "SignalRow", "SkipRow", "SlippageRow", "Speed", "Stopped", "Subscriber", "TargetMark",
    "Today", "UnmetRow", "Unresolved", "Wanted", "account", "accounts", "answered", "brokers", "by_set", "check",
    "clients_of", "closed_at_ns", "equity_curve", "feed_events_onward", "fill_marks", "fills", "fills_from", "fills_of",
    "fills_onward", "find_accounts", "followers", "followers_changed", "funds", "held", "holds_of",
    "instruments_traded", "involved_in", "last_orders", "last_quotes", "latencies", "log_marks", "marks", "minutes",
    "of_set", "order", "orders", "orders_onward", "outcome_of", "place_of", "places_at", "pnl", "positions",
    "positions_onward", "quote_of", "refusal_in_words", "refusals", "refusals_by_code", "refusals_from",
    "refusals_of", "refusals_onward", "restrictions", "selection", "setting_of", "settings_now", "settings_of",
    "signal", "signals", "signals_from", "signals_onward", "skip_in_words", "skips", "skips_from", "skips_of",
    "slippage", "speed", "stopped_by_losses", "subscribers", "target_marks", "timeline", "today", "told_of_set",
    "unmet", "unresolved", "with_reasons",
]  # fmt: skip
