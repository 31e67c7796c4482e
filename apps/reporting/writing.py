"""News into tables, in one transaction with the marks that say how far the logs were read."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
import psycopg

from apps.reporting.accounting import BookKey, Books, days_of, unique_rows
from apps.reporting.copying import Columns, Texts, copy_columns, replaced, upsert
from apps.reporting.kernels.text import NOTHING
from apps.reporting.marks import MarkMove, move_marks
from apps.reporting.merging import ADDED, COLUMNS, LATEST, TEXTS, Merged
from apps.reporting.news import NOBODY, Cash, News, Trades
from apps.reporting.said import at_of, write_accounts, write_arrays, write_prices
from apps.reporting.states import write_states
from apps.reporting.written import joined
from banyan.columns import Ints, ints

UNKNOWN_BOOK = "?"
"""Where an order was forgotten before its fill came: no row says whose it was."""

_ORDER_KEY = ("account", "instrument", "decision")
_HELD = ("steps", "cost_micro", "realised_micro", "fee_micro", "fills")
_OF_DAYS = ("realised_micro", "fee_micro", "fills", "bought_steps", "sold_steps", "steps", "cost_micro")


class Writer:
    """Writes news, and remembers what it needs to know of accounts and books. `forget` after any error."""

    def __init__(self, reader: str = "reporting") -> None:
        self._reader = reader
        self.forget()

    def forget(self) -> None:
        """Know nothing any more."""
        self._zones: dict[int, str] = {}
        self._books = Books()
        self._known: set[int] = set()

    def write(self, connection: "psycopg.Connection[Any]", news: News, marks: Sequence[MarkMove]) -> None:
        """Write everything and move the marks, or nothing. Raises MarksMovedError and psycopg.Error."""
        with connection.transaction(), connection.cursor() as cursor:
            move_marks(cursor, self._reader, marks)
            write_accounts(cursor, news)
            for number, (opened, _) in news.accounts.items():
                self._zones[number] = opened.time_zone
            merged = Merged(news.orders) if news.orders else None
            if news.trades:
                self._write_trades(cursor, news, merged)
            if news.cash:
                self._write_cash(cursor, news)
            if merged is not None:
                _write_orders(cursor, news, merged)
            write_prices(cursor, news)
            write_arrays(cursor, news)
            write_states(cursor, news)

    def _write_trades(self, cursor: Any, news: News, merged: Merged | None) -> None:
        account, instrument, at_ns = (_joined(news.trades, each) for each in ("account", "instrument", "at_ns"))
        self._look_up(account, cursor)
        book = _joined(news.trades, "book")
        if merged is not None:
            book = _owned(cursor, news, merged, book)
        keys, of = unique_rows(account, instrument, book)
        texts = news.names.texts
        named: list[BookKey] = [(number, texts[at], texts[whose]) for number, at, whose in keys.T.tolist()]
        days = days_of(*self._zones_of(account), at_ns)
        traded = np.stack([_joined(news.trades, each) for each in ("steps", "amount_micro", "fee_micro")])
        booked = self._books.book(named, of, days, traded)
        copy_columns(cursor, "reporting_fill", at_ns.size, _fills(news, book, days, booked.realised))
        whose: Columns = {
            "account": keys[0], "instrument": Texts(keys[1], texts), "book": Texts(keys[2], texts)
        }  # fmt: skip
        upsert(
            cursor, "reporting_position", tuple(whose), of.max() + 1,
            {**whose, **dict(zip(_HELD, booked.held.T, strict=True))}, replaced(_HELD),
        )  # fmt: skip
        theirs = keys[:, booked.day_books]
        whose = {
            "account": theirs[0], "instrument": Texts(theirs[1], texts), "book": Texts(theirs[2], texts),
            "day": _dates(booked.days),
        }  # fmt: skip
        upsert(
            cursor, "reporting_day", tuple(whose), booked.days.size,
            {**whose, **dict(zip(_OF_DAYS, booked.of_days.T, strict=True))}, _DAY_SETS,
        )  # fmt: skip

    def _write_cash(self, cursor: Any, news: News) -> None:
        account, at_ns = _joined(news.cash, "account"), _joined(news.cash, "at_ns")
        self._look_up(account, cursor)
        references = [each for of in news.cash for each in of.references or [""] * of.account.size]
        columns: Columns = {
            **_places("shard", news.cash),
            "row": joined([np.arange(each.account.size) for each in news.cash]),
            "at_ns": at_ns,
            "day": _dates(days_of(*self._zones_of(account), at_ns)),
            "account": account,
            "book": Texts(_joined(news.cash, "book"), news.names.texts),
            "instrument": Texts(_joined(news.cash, "instrument"), news.names.texts),
            "kind": _joined(news.cash, "kind"),
            "amount_micro": _joined(news.cash, "amount_micro"),
            "reference": Texts(np.arange(at_ns.size), references),
        }
        copy_columns(cursor, "reporting_cash", at_ns.size, columns)

    def _zones_of(self, account: Ints) -> tuple[list[str], Ints]:
        """Return zones, and which of them each account is in."""
        numbers, which = np.unique(account, return_inverse=True)
        theirs = [self._zones.get(number, "UTC") for number in numbers.tolist()]
        zones = sorted(set(theirs))
        return zones, ints([zones.index(each) for each in theirs])[which.reshape(-1)]

    def _look_up(self, account: Ints, cursor: Any) -> None:
        """Read what accounts held before and the zones that they are in."""
        accounts = set(np.unique(account).tolist()) - self._known
        wanted = sorted(accounts)
        if not wanted:
            return
        cursor.execute("SELECT number, time_zone FROM reporting_account WHERE number = ANY(%s)", [wanted])
        self._zones.update(cursor.fetchall())
        cursor.execute(
            f"SELECT account, instrument, book, {', '.join(_HELD)} "  # noqa: S608  (names of ours)
            "FROM reporting_position WHERE account = ANY(%s)",
            [wanted],
        )
        for number, instrument, book, *held in cursor.fetchall():
            self._books.put((number, instrument, book), held)
        self._known |= accounts


# ---- orders, fills, books -------------------------------------------------------------------------------------------

_ORDER_SETS = ", ".join(
    f"{name} = t.{name} + EXCLUDED.{name}" if name in ADDED
    else f"{name} = COALESCE(EXCLUDED.{name}, t.{name})" if name in LATEST
    else f"{name} = COALESCE(t.{name}, EXCLUDED.{name})"
    for name in COLUMNS
)  # fmt: skip
_DAY_SETS = ", ".join(
    f"{name} = EXCLUDED.{name}" if name in ("steps", "cost_micro") else f"{name} = t.{name} + EXCLUDED.{name}"
    for name in _OF_DAYS
)


def _write_orders(cursor: Any, news: News, merged: Merged) -> None:
    """Add orders that were requested just now, and change those that were before.

    Of one that was requested just now something may be known already, since the edge's ledger is read by itself.
    """
    is_new = merged.columns["requested_number"] != NOTHING
    new, old = (np.flatnonzero(each) for each in (is_new, ~is_new))
    try:
        with cursor.connection.transaction():
            copy_columns(cursor, "reporting_order", new.size, _orders(news, merged, new))
    except psycopg.errors.UniqueViolation:
        old = np.arange(is_new.size)
    upsert(cursor, "reporting_order", _ORDER_KEY, old.size, _orders(news, merged, old), _ORDER_SETS)


def _orders(news: News, merged: Merged, chosen: Ints) -> Columns:
    texts = news.names.texts
    columns: dict[str, Any] = {
        "account": merged.account[chosen],
        "instrument": Texts(merged.instrument[chosen], texts),
        "decision": merged.decision[chosen],
    }
    for name, column in merged.columns.items():
        values = column[chosen]
        columns[name] = Texts(np.where(values == NOTHING, NOBODY, values), texts) if name in TEXTS else values
    return columns


def _fills(news: News, book: Ints, days: Ints, realised: Ints) -> Columns:
    texts = news.names.texts
    ids, which = [""], []
    for each in news.trades:
        which.append(each.row + len(ids) if each.execution_ids else np.zeros(each.row.size, np.int64))
        ids += each.execution_ids
    places = _places("shard", news.trades)
    ats = [str(at_of(each.place.received_at_ns)) for each in news.trades]
    return {
        **places,
        "row": _joined(news.trades, "row"),
        "part": _joined(news.trades, "part"),
        "at": Texts(_numbered(news.trades), ats),
        "filled_at_ns": _joined(news.trades, "at_ns"),
        "day": _dates(days),
        "account": _joined(news.trades, "account"),
        "instrument": Texts(_joined(news.trades, "instrument"), texts),
        "decision": _joined(news.trades, "decision"),
        "book": Texts(book, texts),
        "kind": _repeated(news.trades, [each.kind for each in news.trades]),
        "steps": _joined(news.trades, "steps"),
        "price_e9": _joined(news.trades, "price_e9"),
        "amount_micro": _joined(news.trades, "amount_micro"),
        "fee_micro": _joined(news.trades, "fee_micro"),
        "realised_micro": realised,
        "execution_id": Texts(joined(which), ids),
    }


def _owned(cursor: Any, news: News, merged: Merged, book: Ints) -> Ints:
    """Return books with those of the orders of fills that are of one book."""
    order = joined(
        [
            merged.row[merged.begins[each.said] + each.row] if each.said >= 0 else np.zeros(each.row.size, np.int64)
            for each in news.trades
        ]
    )
    of_orders = merged.columns["book"].copy()
    missing = np.unique(order[(book == NOBODY) & (of_orders[order] == NOTHING)])
    if missing.size:
        of_orders[missing] = news.names.number(UNKNOWN_BOOK)
        texts = news.names.texts
        instruments = [texts[each] for each in merged.instrument[missing].tolist()]
        cursor.execute(
            "SELECT v.at, o.book FROM reporting_order AS o "
            "JOIN unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) AS v(account, instrument, decision, at) "
            "USING (account, instrument, decision) WHERE o.book IS NOT NULL",
            [merged.account[missing].tolist(), instruments, merged.decision[missing].tolist(), missing.tolist()],
        )
        for at, name in cursor.fetchall():
            of_orders[at] = news.names.number(name or UNKNOWN_BOOK)
    return np.where(book == NOBODY, of_orders[order], book)


# ---- columns of several events --------------------------------------------------------------------------------------


def _joined(events: Sequence[Trades] | Sequence[Cash], name: str) -> Ints:
    column: Ints = joined([getattr(each, name) for each in events])
    return column


def _numbered(events: Sequence[Trades] | Sequence[Cash]) -> Ints:
    return _repeated(events, range(len(events)))


def _repeated(events: Sequence[Trades] | Sequence[Cash], values: Iterable[int]) -> Ints:
    return np.repeat(ints(list(values)), [each.account.size for each in events])


def _places(key: str, events: Sequence[Trades] | Sequence[Cash]) -> dict[str, Any]:
    return {
        key: Texts(_numbered(events), [each.place.key for each in events]),
        "number": _repeated(events, [each.place.number for each in events]),
        "event": _repeated(events, [each.place.event for each in events]),
    }


def _dates(days: Ints) -> Texts:
    ordinals, which = np.unique(days, return_inverse=True)
    return Texts(which.reshape(-1), [date.fromordinal(each).isoformat() for each in ordinals.tolist()])
