"""What may be traded: from risk's words to the table of trading states."""

from typing import Any

from apps.reporting.copying import replaced, upsert_rows
from apps.reporting.news import News, Place, State, StateKey
from apps.risk.contracts import Level, TradingState, TradingStateChanged


def state_changed(news: News, place: Place, message: TradingStateChanged, _: Any) -> None:
    """Add a change of all, a set, an instrument or accounts; a loss that stops accounts is a cause of its own."""
    state = State(message.state, message.reason, place.received_at_ns)
    if not message.accounts.size:
        level = Level.SET if message.set else Level.INSTRUMENT if message.instrument else Level.GLOBAL
        news.change(StateKey(level, message.set or message.instrument, 0), state)
        return
    for name in map(str, message.accounts.tolist()):
        news.change(StateKey(Level.ACCOUNT, name, message.stop), state)
        if message.state == TradingState.ACTIVE:
            news.activated[name] = place.received_at_ns


def write_states(cursor: Any, news: News) -> None:
    """Write changes; a person who lets an account trade ends the losses that had stopped it before."""
    key, names = ("level", "name", "cause"), ("state", "reason", "changed_at_ns")
    newer = "WHERE EXCLUDED.changed_at_ns >= t.changed_at_ns"
    rows = [(int(level), name, cause, *state) for (level, name, cause), state in news.states.items()]
    upsert_rows(cursor, "reporting_tradingstate", key, names, rows, f"{replaced(names)} {newer}")
    if news.activated:
        cursor.execute(
            "UPDATE reporting_tradingstate AS t SET state = 0 FROM unnest(%s::text[], %s::bigint[]) AS v(name, at) "
            "WHERE t.level = %s AND t.name = v.name AND t.cause <> 0 AND t.changed_at_ns < v.at",
            [list(news.activated), list(news.activated.values()), int(Level.ACCOUNT)],
        )
