"""News that is written as it was said: accounts, prices, and arrays that are unfolded when they are read."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from apps.reporting.copying import array, copy_rows, replaced, stage, upsert_rows
from apps.reporting.news import News, Place
from apps.reporting.written import joined
from banyan.columns import Ints

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_accounts(cursor: Any, news: News) -> None:
    """Write accounts, what they were worth last, and the terms of instruments."""
    opened = [
        (
            number, each.account, each.client, each.broker, each.currency, each.via, each.time_zone, each.balance_micro,
            at_ns, 0, each.balance_micro, each.balance_micro, 0,
        )
        for number, (each, at_ns) in news.accounts.items()
    ]  # fmt: skip
    columns = (
        "id", "client", "broker", "currency", "via", "time_zone", "deposit_micro", "opened_at_ns", "valued_at_ns",
        "balance_micro", "equity_micro", "margin_micro",
    )  # fmt: skip
    told = ("id", "client", "broker", "currency", "via", "time_zone")
    upsert_rows(cursor, "reporting_account", ("number",), columns, opened, replaced(told))
    if news.values:
        numbers, values = _last_values(news)
        staged = stage(cursor, "reporting_account", numbers.size, {"number": numbers, **values})
        sets = ", ".join(f"{name} = v.{name}" for name in values)
        cursor.execute(
            f"UPDATE reporting_account AS a SET {sets} FROM {staged} AS v WHERE a.number = v.number"  # noqa: S608  (names of ours)
        )
    terms = [
        (each.id, each.currency, each.tick_e9, each.lot_step_e9, each.contract_e9, at_ns)
        for at_ns, each in news.terms.values()
    ]
    names = ("currency", "tick_e9", "lot_step_e9", "contract_e9", "told_at_ns")
    newer = "WHERE EXCLUDED.told_at_ns >= t.told_at_ns"
    upsert_rows(cursor, "reporting_instrument", ("id",), names, terms, f"{replaced(names)} {newer}")


def _last_values(news: News) -> tuple[Ints, dict[str, Ints]]:
    """Return accounts, each once, and what each was worth last."""
    account = joined([each.account for each in news.values])
    numbers, at = np.unique(account[::-1], return_index=True)
    last = account.size - 1 - at
    names = ("balance_micro", "equity_micro", "margin_micro")
    valued = np.repeat([each.valued_at_ns for each in news.values], [each.account.size for each in news.values])
    columns = {name: joined([getattr(each, name) for each in news.values])[last] for name in names}
    return numbers, {"valued_at_ns": valued[last], **columns}


def write_prices(cursor: Any, news: News) -> None:
    """Write closes."""
    rows = [
        (instrument, date(1970, 1, 1) + timedelta(days=day), *close) for (instrument, day), close in news.closes.items()
    ]
    names = ("closed_at_ns", "bid_ticks", "ask_ticks")
    newer = "WHERE EXCLUDED.closed_at_ns >= t.closed_at_ns"
    upsert_rows(cursor, "reporting_price", ("instrument", "day"), names, rows, f"{replaced(names)} {newer}")
    copy_rows(
        cursor,
        "reporting_quote",
        (*_PLACE("feed"), "received_at_ns", "closed_at_ns", "instruments", "bid_ticks", "ask_ticks"),
        ((*_placed(each.place), each.place.received_at_ns, *map(_plain, each[1:])) for each in news.quotes),
    )


def write_arrays(cursor: Any, news: News) -> None:
    """Write what stays as it was said: signals, settings, changes of orders, events of feeds, skips and refusals."""
    copy_rows(
        cursor,
        "reporting_feedevent",
        (*_PLACE("feed"), "said_at_ns", "what", "instrument", "detail"),
        ((*_placed(each.place), each.place.received_at_ns, *each[1:]) for each in news.feed_events),
    )
    copy_rows(
        cursor,
        "reporting_signal",
        (*_PLACE("set"), "said_at_ns", "decided_at_ns", "set_version", "instruments", "body"),
        ((*_placed(each.place), each.place.received_at_ns, *each[1:]) for each in news.signals),
    )
    copy_rows(
        cursor,
        "reporting_skip",
        (
            *_PLACE("shard"),
            "skipped_at_ns",
            "set",
            "instruments",
            "account",
            "instrument",
            "reason",
            "level",
            "signalled_at_ns",
        ),
        ((*_placed(each.place), each.place.received_at_ns, *map(_plain, each[1:])) for each in news.skips),
    )
    copy_rows(
        cursor,
        "reporting_orderchange",
        ("shard", "number", "at", "changed_at_ns", "instruments", "account", "instrument", "decision"),
        ((*_recorded(each.place), each.place.received_at_ns, *map(_plain, each[1:])) for each in news.changes),
    )
    settings = [
        (each.place.key, each.place.number, each.place.event, each.level, each.set, each.account, each.body)
        for each in news.settings
    ]
    unmet = [(*each.place[:3], each.place.received_at_ns, each.command_id, *each[1:5]) for each in news.unmet]
    columns = ("shard", "number", "event", "unmet_at_ns", "command_id", "command", "account", "reason", "skip")
    copy_rows(cursor, "reporting_unmet", columns, unmet)
    copy_rows(cursor, "reporting_setting", ("shard", "number", "event", "level", "set", "account", "body"), settings)
    copy_rows(
        cursor,
        "reporting_refusal",
        (
            *_PLACE("shard"), "refused_at_ns", "by", "instruments", "account", "instrument", "decision", "reason",
            "level", "bound", "actual", "texts",
        ),
        ((*_placed(each.place), each.place.received_at_ns, *map(_plain, each[1:])) for each in news.refusals),
    )  # fmt: skip


def _PLACE(key: str) -> tuple[str, ...]:  # noqa: N802
    return key, "number", "event", "at"


def _placed(place: Place) -> tuple[Any, ...]:
    return place.key, place.number, place.event, at_of(place.received_at_ns)


def _recorded(place: Place) -> tuple[Any, ...]:
    return place.key, place.number, at_of(place.received_at_ns)


def _plain(value: Any) -> Any:
    return array(value) if isinstance(value, np.ndarray) else value


def at_of(time_ns: int) -> datetime:
    """Return a time as a partition's column holds it."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)
