"""News into tables, in one transaction with the marks that say how far the logs were read."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

import psycopg
from django.db import connections

from apps.reporting.accounting import Booked, BookKey, Books, Held, day_of
from apps.reporting.news import ADDED, LATEST, News, OrderKey, OrderNews, Place

ALIAS = "reporting"
UNKNOWN_BOOK = "?"
"""Where an order was forgotten before its fill came: no row says whose it was."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDER_COLUMNS = tuple(each.name for each in fields(OrderNews))
_ORDER_VALUES = attrgetter(*_ORDER_COLUMNS)
_ORDER_KEY = ("account", "instrument", "decision")


class MarkMove(NamedTuple):
    """A mark that is to move from record `old` to `number`, which was received at `received_at_ns`."""

    source: str
    key: str
    old: int
    number: int
    received_at_ns: int


class MarksMovedError(RuntimeError):
    """Another process has taken these records already: forget what is in memory, and look at the marks again."""


class Writer:
    """Writes news, and remembers what it needs to know of accounts and books. `forget` after any error."""

    def __init__(self, reader: str = "reporting") -> None:
        self._reader = reader
        self._zones: dict[int, str] = {}
        self._held: dict[BookKey, Held] = {}
        self._known: set[int] = set()

    def forget(self) -> None:
        """Know nothing any more."""
        self._zones.clear()
        self._held.clear()
        self._known.clear()

    def write(self, connection: "psycopg.Connection[Any]", news: News, marks: Sequence[MarkMove]) -> None:
        """Write everything and move the marks, or nothing. Raises MarksMovedError and psycopg.Error."""
        with connection.transaction(), connection.cursor() as cursor:
            move_marks(cursor, self._reader, marks)
            _write_accounts(cursor, news)
            for number, (opened, _) in news.accounts.items():
                self._zones[number] = opened.time_zone
            self._write_trades(cursor, news)
            self._write_cash(cursor, news)
            _upsert(cursor, "reporting_order", _ORDER_KEY, _ORDER_COLUMNS, _order_rows(news.orders), _ORDER_SETS)
            _write_prices(cursor, news)
            _write_arrays(cursor, news)

    def _write_trades(self, cursor: Any, news: News) -> None:
        if not news.trades:
            return
        self._look_up({trade.account for trade in news.trades} - self._known, cursor)
        owners = _owners(cursor, news)
        books = Books(self._held)
        booked = books.book(
            (
                trade,
                trade.book or owners[trade.account, trade.instrument, trade.decision],
                self._zones.get(trade.account, "UTC"),
            )
            for trade in news.trades
        )
        _copy(cursor, "reporting_fill", _FILL_COLUMNS, map(_fill_row, booked))
        changed = {(each.trade.account, each.trade.instrument, each.book) for each in booked}
        _upsert(
            cursor, "reporting_position", ("account", "instrument", "book"), _HELD_COLUMNS,
            ((*key, *_held_row(self._held[key])) for key in changed), _replaced(_HELD_COLUMNS),
        )  # fmt: skip
        day_rows = (
            (*key, *(getattr(of_day, name) for name in _DAY_COLUMNS)) for key, of_day in books.days.items()
        )  # fmt: skip
        _upsert(cursor, "reporting_day", ("account", "instrument", "book", "day"), _DAY_COLUMNS, day_rows, _DAY_SETS)

    def _write_cash(self, cursor: Any, news: News) -> None:
        if not news.cash:
            return
        self._look_up({each.account for each in news.cash} - self._known, cursor)
        rows = (
            (
                each.place.key, each.place.number, each.place.event, each.row, each.at_ns,
                day_of(self._zones.get(each.account, "UTC"), each.at_ns), each.account, each.book, each.instrument,
                each.kind, each.amount_micro, each.reference,
            )
            for each in news.cash
        )  # fmt: skip
        names = (
            "shard", "number", "event", "row", "at_ns", "day", "account", "book", "instrument", "kind",
            "amount_micro", "reference",
        )  # fmt: skip
        _copy(cursor, "reporting_cash", names, rows)

    def _look_up(self, accounts: set[int], cursor: Any) -> None:
        """Read what accounts held before and the zones that they are in."""
        wanted = list(accounts)
        if not wanted:
            return
        cursor.execute("SELECT number, time_zone FROM reporting_account WHERE number = ANY(%s)", [wanted])
        self._zones.update(cursor.fetchall())
        cursor.execute(
            "SELECT account, instrument, book, steps, cost_micro, realised_micro, fee_micro, fills "
            "FROM reporting_position WHERE account = ANY(%s)",
            [wanted],
        )
        for account, instrument, book, *held in cursor.fetchall():
            self._held[account, instrument, book] = Held(*held)
        self._known |= accounts


def move_marks(cursor: Any, reader: str, marks: Sequence[MarkMove]) -> None:
    """Move marks by compare-and-set. Raises MarksMovedError where one is not where it was."""
    columns = [list(column) for column in zip(*marks, strict=True)]
    cursor.execute(
        "INSERT INTO reporting_mark AS m (reader, source, key, number, received_at_ns) "
        "SELECT %s, v.source, v.key, v.number, v.received_at_ns "
        "FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[]) "
        "AS v(source, key, old, number, received_at_ns) "
        "WHERE v.old = 0 OR EXISTS "
        "(SELECT FROM reporting_mark AS k WHERE k.reader = %s AND k.source = v.source AND k.key = v.key) "
        "ORDER BY v.source, v.key "
        "ON CONFLICT (reader, source, key) DO UPDATE "
        "SET number = EXCLUDED.number, received_at_ns = EXCLUDED.received_at_ns "
        "WHERE (m.source, m.key, m.number) IN "
        "(SELECT v.source, v.key, v.old FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS v(source, key, old))",
        [reader, *columns, reader, *columns[:3]],
    )
    if cursor.rowcount != len(marks):
        raise MarksMovedError(f"{reader}: another process has read the same logs meanwhile")


def put_marks(cursor: Any, reader: str, marks: Mapping[tuple[str, str], tuple[int, int]]) -> None:
    """Let a reader's marks be (number, received_at_ns) by (source, key), and no others."""
    cursor.execute("DELETE FROM reporting_mark WHERE reader = %s", [reader])
    rows = [(reader, *place, *mark) for place, mark in marks.items()]
    _copy(cursor, "reporting_mark", ("reader", "source", "key", "number", "received_at_ns"), rows)


def at_of(time_ns: int) -> datetime:
    """Return a time as a partition's column holds it."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


# ---- orders, fills, books -------------------------------------------------------------------------------------------

_ORDER_SETS = ", ".join(
    f"{name} = t.{name} + EXCLUDED.{name}" if name in ADDED
    else f"{name} = COALESCE(EXCLUDED.{name}, t.{name})" if name in LATEST
    else f"{name} = COALESCE(t.{name}, EXCLUDED.{name})"
    for name in _ORDER_COLUMNS
)  # fmt: skip
_FILL_COLUMNS = (
    "shard", "number", "event", "row", "part", "at", "filled_at_ns", "day", "account", "instrument", "decision", "book",
    "kind", "steps", "price_e9", "amount_micro", "fee_micro", "realised_micro", "execution_id",
)  # fmt: skip
_HELD_COLUMNS = ("steps", "cost_micro", "realised_micro", "fee_micro", "fills")
_DAY_COLUMNS = ("realised_micro", "fee_micro", "fills", "bought_steps", "sold_steps", "steps", "cost_micro")
_DAY_SETS = ", ".join(
    f"{name} = EXCLUDED.{name}" if name in ("steps", "cost_micro") else f"{name} = t.{name} + EXCLUDED.{name}"
    for name in _DAY_COLUMNS
)


def _order_rows(orders: Mapping[OrderKey, OrderNews]) -> Iterable[tuple[Any, ...]]:
    for key, order in orders.items():
        yield *key, *_ORDER_VALUES(order)


def _fill_row(booked: Booked) -> tuple[Any, ...]:
    trade = booked.trade
    place = trade.place
    return (
        place.key, place.number, place.event, trade.row, trade.part, at_of(place.received_at_ns), trade.at_ns,
        booked.day, trade.account, trade.instrument, trade.decision, booked.book, trade.kind, trade.steps,
        trade.price_e9, trade.amount_micro, trade.fee_micro, booked.realised_micro, trade.execution_id,
    )  # fmt: skip


def _held_row(held: Held) -> tuple[int, ...]:
    return held.steps, held.cost_micro, held.realised_micro, held.fee_micro, held.fills


def _owners(cursor: Any, news: News) -> dict[OrderKey, str]:
    """Return the book of each order that a fill without one belongs to."""
    wanted = {
        (trade.account, trade.instrument, trade.decision) for trade in news.trades if trade.book is None
    }  # fmt: skip
    owners = {key: book for key in wanted if (book := news.orders[key].book) is not None}
    missing = list(wanted - owners.keys())
    if missing:
        columns = [list(column) for column in zip(*missing, strict=True)]
        cursor.execute(
            "SELECT o.account, o.instrument, o.decision, o.book FROM reporting_order AS o "
            "JOIN unnest(%s::bigint[], %s::text[], %s::bigint[]) AS v(account, instrument, decision) "
            "USING (account, instrument, decision) WHERE o.book IS NOT NULL",
            columns,
        )
        owners.update({(account, name, decision): book for account, name, decision, book in cursor.fetchall()})
    return {key: owners.get(key) or UNKNOWN_BOOK for key in wanted}


# ---- the rest -------------------------------------------------------------------------------------------------------


def _write_accounts(cursor: Any, news: News) -> None:
    opened = [
        (
            number, each.account, each.client, each.broker, each.currency, each.time_zone, each.balance_micro, at_ns,
            0, each.balance_micro, each.balance_micro, 0,
        )
        for number, (each, at_ns) in news.accounts.items()
    ]  # fmt: skip
    columns = (
        "id", "client", "broker", "currency", "time_zone", "deposit_micro", "opened_at_ns", "valued_at_ns",
        "balance_micro", "equity_micro", "margin_micro",
    )  # fmt: skip
    told = ("id", "client", "broker", "currency", "time_zone")
    _upsert(cursor, "reporting_account", ("number",), columns, opened, _replaced(told))
    if news.values:
        rows = [(number, *value) for number, value in sorted(news.values.items())]
        cursor.execute(
            "UPDATE reporting_account AS a SET valued_at_ns = v.at, balance_micro = v.balance, "
            "equity_micro = v.equity, margin_micro = v.margin "
            "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) "
            "AS v(number, at, balance, equity, margin) WHERE a.number = v.number",
            [list(column) for column in zip(*rows, strict=True)],
        )
    terms = [
        (each.id, each.currency, each.tick_e9, each.lot_step_e9, each.contract_e9, at_ns)
        for at_ns, each in news.terms.values()
    ]
    names = ("currency", "tick_e9", "lot_step_e9", "contract_e9", "told_at_ns")
    newer = "WHERE EXCLUDED.told_at_ns >= t.told_at_ns"
    _upsert(cursor, "reporting_instrument", ("id",), names, terms, f"{_replaced(names)} {newer}")


def _write_prices(cursor: Any, news: News) -> None:
    rows = [
        (instrument, date(1970, 1, 1) + timedelta(days=day), *close) for (instrument, day), close in news.closes.items()
    ]
    names = ("closed_at_ns", "bid_ticks", "ask_ticks")
    newer = "WHERE EXCLUDED.closed_at_ns >= t.closed_at_ns"
    _upsert(cursor, "reporting_price", ("instrument", "day"), names, rows, f"{_replaced(names)} {newer}")
    _copy(
        cursor,
        "reporting_quote",
        (*_PLACE("feed"), "received_at_ns", "closed_at_ns", "instruments", "bid_ticks", "ask_ticks"),
        ((*_placed(each.place), each.place.received_at_ns, *each[1:]) for each in news.quotes),
    )


def _write_arrays(cursor: Any, news: News) -> None:
    _copy(
        cursor,
        "reporting_signal",
        (*_PLACE("set"), "said_at_ns", "decided_at_ns", "set_version", "instruments", "body"),
        ((*_placed(each.place), each.place.received_at_ns, *each[1:]) for each in news.signals),
    )
    _copy(
        cursor,
        "reporting_skip",
        (*_PLACE("shard"), "skipped_at_ns", "set", "instruments", "account", "instrument", "reason", "level"),
        ((*_placed(each.place), each.place.received_at_ns, *each[1:]) for each in news.skips),
    )
    settings = [
        (each.place.key, each.place.number, each.place.event, each.level, each.set, each.account, each.body)
        for each in news.settings
    ]
    _copy(cursor, "reporting_setting", ("shard", "number", "event", "level", "set", "account", "body"), settings)
    _copy(
        cursor,
        "reporting_refusal",
        (
            *_PLACE("shard"), "refused_at_ns", "by", "instruments", "account", "instrument", "decision", "reason",
            "level", "bound", "actual", "texts",
        ),
        ((*_placed(each.place), each.place.received_at_ns, *each[1:]) for each in news.refusals),
    )  # fmt: skip


def _PLACE(key: str) -> tuple[str, ...]:  # noqa: N802
    return key, "number", "event", "at"


def _placed(place: Place) -> tuple[Any, ...]:
    return place.key, place.number, place.event, at_of(place.received_at_ns)


def _replaced(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = EXCLUDED.{name}" for name in names)


def _upsert(
    cursor: Any, table: str, key: Sequence[str], names: Sequence[str], rows: Iterable[Sequence[Any]], sets: str
) -> None:
    """Insert rows, or change those that are there as `sets` says (`t` is the row, EXCLUDED what comes to it)."""
    kept = list(rows)
    if not kept:
        return
    staged = f"{table}_news"
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {staged} (LIKE {table}) ON COMMIT DELETE ROWS")
    columns = (*key, *names)
    _copy(cursor, staged, columns, kept)
    listed, order = ", ".join(columns), ", ".join(key)
    cursor.execute(
        f"INSERT INTO {table} AS t ({listed}) SELECT {listed} FROM {staged} ORDER BY {order} "  # noqa: S608
        f"ON CONFLICT ({order}) DO UPDATE SET {sets}"
    )


def _copy(cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    kept = list(rows)
    if not kept:
        return
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in kept:
            copy.write_row(row)


def connect() -> "psycopg.Connection[Any]":
    """Return a connection to reporting's database, every statement of which is a transaction of its own.

    Its commits do not wait for the disk: should the server go down, rows and marks are lost together and read again.
    """
    parameters = connections[ALIAS].get_connection_params()
    wanted = {name: value for name, value in parameters.items() if name not in ("cursor_factory", "context")}
    connection = psycopg.connect(**{**wanted, "autocommit": True})
    connection.execute("SET synchronous_commit = off")
    return connection
