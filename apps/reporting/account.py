"""One account among ten thousand: found by typing, its equity over time, and what became of each signal."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from apps.execution.book_contracts import ConfigureAccount, SettingLevel, SkipReason, effective_settings
from apps.execution.contracts import Subscribe
from apps.reporting.earnings import Terms
from apps.reporting.kept import Kept
from apps.reporting.rates import Rates
from apps.reporting.reading import ORDER_STATES, OrderRow, named
from apps.reporting.reasons import LEVELS, Effective
from apps.reporting.scoping import Columns, Scope, rows, where
from apps.reporting.unfolding import SkipRow
from apps.risk.contracts import Level, TradingState
from banyan.codec import decode_message

_POINTS_MAX = 1_500
_KEPT = Kept("execution", "edge", "risk")


class FoundAccount(NamedTuple):
    """An account in a list of those that were found; `rank` is 0 where what was looked for begins its id or client."""

    account: str
    client: str
    broker: str
    currency: str
    balance: float
    equity: float
    margin: float
    valued_at_ns: int
    number: int
    rank: int


class Selection(NamedTuple):
    """Accounts together: how many, of them that hold something, positions, working orders, halted and reducing ones."""

    accounts: int
    holding: int
    positions: int
    working: int
    halted: int
    reducing: int


class Point(NamedTuple):
    """What an account was worth at a time, in its currency."""

    at_ns: int
    equity: float


class SetSettings(NamedTuple):
    """What holds for a set that an account follows."""

    set: str
    settings: list[Effective]


class Hold(NamedTuple):
    """A trading state that concerns an account: `level` in words, and whether a loss is its cause."""

    level: str
    name: str
    state: str
    reason: str
    changed_at_ns: int
    is_stop: bool


_COLUMNS = (
    "a.id, a.client, a.broker, a.currency, a.balance_micro / 1e6, a.equity_micro / 1e6, a.margin_micro / 1e6, "
    "a.valued_at_ns, a.number"
)
_MATCHES = "(a.id ILIKE %s OR a.client ILIKE %s)"


def find_accounts(scope: Scope, text: str, after: tuple[int, str] | None, most: int) -> list[FoundAccount]:
    """Return accounts whose id or client has `text` in it, those that begin with it first; then by id.

    `after` is (rank, account) of the last one that was returned before.
    """
    limits, values = where(scope, Columns())
    begins, has = f"{_literally(text)}%", f"%{_literally(text)}%"
    rank, beyond = (0, "") if after is None else after
    found = rows(
        f"""
        WITH first AS MATERIALIZED (
            SELECT {_COLUMNS}, 0 AS rank FROM reporting_account AS a
            WHERE {limits} AND %s AND a.id > %s AND {_MATCHES if text else "true"} ORDER BY a.id LIMIT %s
        )
        SELECT * FROM first UNION ALL (
            SELECT {_COLUMNS}, 1 FROM reporting_account AS a
            WHERE {limits} AND %s AND (SELECT count(*) FROM first) < %s AND a.id > %s AND {_MATCHES} AND NOT {_MATCHES}
            ORDER BY a.id LIMIT %s
        ) ORDER BY rank, id LIMIT %s
        """,  # noqa: S608  (names of ours)
        [
            *values, rank <= 0, beyond if rank == 0 else "", *([begins, begins] if text else []), most,
            *values, bool(text) and rank <= 1, most, beyond if rank == 1 else "", has, has, begins, begins, most,
            most,
        ],
    )  # fmt: skip
    return [_found(row) for row in found]


def selection(text: str) -> Selection:
    """Return how the accounts that `find_accounts` finds by `text` are together."""
    pattern = f"%{_literally(text)}%"
    (found,) = _KEPT.get(
        text,
        lambda: rows(
            f"""
            WITH found AS MATERIALIZED (SELECT number FROM reporting_account WHERE id ILIKE %s OR client ILIKE %s),
            held AS (
                SELECT count(DISTINCT p.account) AS holding, count(*) AS positions
                FROM reporting_position AS p JOIN found ON found.number = p.account WHERE p.steps <> 0
            ), kept_back AS (
                SELECT max(t.state) AS state FROM reporting_tradingstate AS t JOIN found ON found.number::text = t.name
                WHERE t.level = %s GROUP BY t.name
            )
            SELECT (SELECT count(*) FROM found), held.holding, held.positions,
              (SELECT count(*) FROM reporting_order AS o JOIN found ON found.number = o.account
               WHERE {ORDER_STATES["working"]}),
              (SELECT count(*) FROM kept_back WHERE state = %s), (SELECT count(*) FROM kept_back WHERE state = %s)
            FROM held
            """,  # noqa: S608  (names of ours)
            [pattern, pattern, int(Level.ACCOUNT), int(TradingState.HALTED), int(TradingState.REDUCING)],
        ),
    )
    return Selection(*map(int, found))


def _literally(text: str) -> str:
    """Return a pattern that only this text fits."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def account(scope: Scope) -> FoundAccount | None:
    """Return the account of a scope, if there is one."""
    limits, values = where(scope, Columns())
    statement = f"SELECT {_COLUMNS}, 0 FROM reporting_account AS a WHERE {limits}"  # noqa: S608  (names of ours)
    found = rows(statement, values, is_planned_once=bool(scope.account))
    return next((_found(row) for row in found), None)


def _found(row: tuple[Any, ...]) -> FoundAccount:
    return FoundAccount(*row[:4], *map(float, row[4:7]), *row[7:])


# ---- equity over time -----------------------------------------------------------------------------------------------


def equity_curve(of: FoundAccount, since_ns: int) -> list[Point]:
    """Return what an account was worth at the closes of what it traded, from `since_ns` on, at most 1,500 points.

    Cash and positions are those of its fills; prices are closes as feeds let them in, which are kept for 90 days; rates
    between currencies are those of the day.
    """
    deposit, via, cash = _money(of.number)
    fills = rows(
        "SELECT instrument, filled_at_ns, steps, amount_micro, fee_micro FROM reporting_fill WHERE account = %s",
        [of.number],
    )
    names = sorted({row[0] for row in fills})
    quotes = _closes(names, since_ns)
    times = np.unique(np.array([row[1] for row in quotes] + [row[1] for row in fills if row[1] >= since_ns], np.int64))
    if not times.size:
        return []
    if times.size > _POINTS_MAX:
        times = times[np.linspace(0, times.size - 1, _POINTS_MAX).astype(np.int64)]
    total = np.full(times.size, deposit, np.float64)
    total += _summed([row[0] for row in cash], [row[1] for row in cash], times)
    total += _summed([row[1] for row in fills], [row[3] - row[4] for row in fills], times)
    for name, terms, rate in _instruments(names, of.currency, via):
        mine = [row for row in fills if row[0] == name]
        steps = _summed([row[1] for row in mine], [row[2] for row in mine], times)
        closes = [row for row in quotes if row[0] == name]
        if not closes:
            total += np.where(steps != 0, np.nan, 0.0)
            continue
        at = np.searchsorted(np.array([row[1] for row in closes], np.int64), times, side="right") - 1
        middle = np.array([row[2] + row[3] for row in closes], np.float64)[np.maximum(at, 0)]
        unit = terms.lot_step_e9 / 1e9 * terms.contract_e9 / 1e9 * terms.tick_e9 / 2e9 * 1e6
        total += np.where(steps != 0, np.where(at >= 0, steps * middle * unit * rate, np.nan), 0.0)
    is_known = ~np.isnan(total)
    return [
        Point(at_ns, worth / 1e6)
        for at_ns, worth in zip(times[is_known].tolist(), total[is_known].tolist(), strict=True)
    ]


def _money(number: int) -> tuple[int, str, list[tuple[int, int]]]:
    ((deposit, via),) = rows("SELECT deposit_micro, via FROM reporting_account WHERE number = %s", [number])
    return deposit, via, rows("SELECT at_ns, amount_micro FROM reporting_cash WHERE account = %s", [number])  # type: ignore[return-value]


def _closes(names: Sequence[str], since_ns: int) -> list[tuple[str, int, int, int]]:
    """Return (instrument, time, bid, ask) of the closes since a time, and of the hour before it; oldest first."""
    since = datetime.fromtimestamp(max(0, since_ns) / 1e9, UTC)
    return rows(  # type: ignore[return-value]
        """
        SELECT i.name, q.closed_at_ns, q.bid_ticks[i.place], q.ask_ticks[i.place] FROM reporting_quote AS q
        CROSS JOIN LATERAL unnest(q.instruments) WITH ORDINALITY AS i(name, place)
        WHERE q.at >= %s - interval '1 hour' AND i.name = ANY(%s) ORDER BY q.closed_at_ns
        """,
        [since, list(names)],
    )


def _instruments(names: Sequence[str], currency: str, via: str) -> list[tuple[str, Terms, float]]:
    """Return terms, and the rate to a currency (nan: nobody knows)."""
    found = rows("SELECT id, currency, tick_e9, lot_step_e9, contract_e9 FROM reporting_instrument", [])
    terms = {name: Terms(*numbers) for name, *numbers in found}
    last = rows(
        "SELECT DISTINCT ON (instrument) instrument, day, bid_ticks, ask_ticks FROM reporting_price "
        "ORDER BY instrument, day DESC",
        [],
    )
    rates = Rates(
        {name: (each.currency, each.tick_e9) for name, each in terms.items()},
        {name: [(day, bid, ask)] for name, day, bid, ask in last},
    )
    told = []
    for name in names:
        if name in terms:
            rate = rates.of(terms[name].currency, currency, via=via)
            told.append((name, terms[name], rate.top / rate.bottom if rate else float("nan")))
    return told


def _summed(at_ns: Sequence[int], amounts: Sequence[int], times: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return what amounts add up to by each time."""
    if not at_ns:
        return np.zeros(times.size)
    order = np.argsort(np.array(at_ns, np.int64), kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(np.array(amounts, np.float64)[order])])
    return sums[np.searchsorted(np.array(at_ns, np.int64)[order], times, side="right")]


# ---- what holds, and why --------------------------------------------------------------------------------------------


def settings_now(of: FoundAccount, instead: ConfigureAccount | Subscribe | None = None) -> list[SetSettings]:
    """Return what holds now for each set that an account follows, each setting with the level that gave it.

    `instead` takes the place of what was given last at its level, as if it had been.
    """
    found = rows(
        """
        SELECT DISTINCT ON (s.level, s.set) s.level, s.set, s.body FROM reporting_setting AS s
        WHERE (s.account = %s OR (s.level = 1 AND s.set IN
          (SELECT m.set FROM reporting_setting AS m WHERE m.account = %s)))
          AND s.shard = (SELECT m.shard FROM reporting_setting AS m WHERE m.account = %s LIMIT 1)
        ORDER BY s.level, s.set, s.number DESC, s.event DESC
        """,
        [of.number] * 3,
    )
    told: dict[tuple[int, str], Any] = {
        (level, name): decode_message(LEVELS[level - 1].wire_name, bytes(body)) for level, name, body in found
    }
    if instead is not None:
        is_own = isinstance(instead, ConfigureAccount)
        told[(SettingLevel.ACCOUNT, "") if is_own else (SettingLevel.SUBSCRIPTION, instead.set)] = instead  # type: ignore[union-attr]
    own = told.get((SettingLevel.ACCOUNT, ""))
    return [
        SetSettings(name, effective_settings(told[SettingLevel.SET, name], each, own))
        for (level, name), each in told.items()
        if level == SettingLevel.SUBSCRIPTION and (SettingLevel.SET, name) in told
    ]


def setting_of(of: FoundAccount, set_name: str = "") -> Any:
    """Return the command that set last what holds for an account, or for how it follows a set; None: none did."""
    level = SettingLevel.SUBSCRIPTION if set_name else SettingLevel.ACCOUNT
    found = rows(
        "SELECT body FROM reporting_setting WHERE account = %s AND set = %s AND level = %s "
        "ORDER BY number DESC, event DESC LIMIT 1",
        [of.number, set_name, int(level)],
    )
    return decode_message(LEVELS[level - 1].wire_name, bytes(found[0][0])) if found else None


def skips_of(of: FoundAccount, since_ns: int, most: int) -> list[SkipRow]:
    """Return the targets of late that gave an account no order, newest first."""
    found = rows(
        """
        SELECT s.skipped_at_ns, s.set, s.instruments[u.instrument + 1], u.reason, u.level, s.number
        FROM reporting_skip AS s
        CROSS JOIN LATERAL unnest(s.account, s.instrument, s.reason, s.level) AS u(account, instrument, reason, level)
        WHERE s.at >= %s AND s.account @> ARRAY[%s::bigint] AND u.account = %s
        ORDER BY s.skipped_at_ns DESC, s.number DESC LIMIT %s
        """,
        [datetime.fromtimestamp(since_ns / 1e9, UTC), of.number, of.number, most],
    )
    return [
        SkipRow(at_ns, of.account, name, instrument, named(SkipReason, reason),
                named(SettingLevel, level) if level else "", number)
        for at_ns, name, instrument, reason, level, number in found
    ]  # fmt: skip


def holds_of(of: FoundAccount, orders: Sequence[OrderRow], sets: Sequence[str]) -> list[Hold]:
    """Return the trading states that keep an account, or what it follows and trades, from trading freely."""
    instruments = sorted({each.instrument for each in orders})
    found = rows(
        "SELECT level, name, state, reason, changed_at_ns, cause <> 0 FROM reporting_tradingstate WHERE state <> 0 AND "
        "((level = %s) OR (level = %s AND name = ANY(%s)) OR (level = %s AND name = %s) "
        "OR (level = %s AND name = ANY(%s))) "
        "ORDER BY level, name",
        [int(Level.GLOBAL), int(Level.SET), list(sets), int(Level.ACCOUNT), str(of.number), int(Level.INSTRUMENT),
         instruments],
    )  # fmt: skip
    return [
        Hold(Level(level).name.lower(), of.account if level == Level.ACCOUNT else name,
             TradingState(state).name.lower(), reason, at_ns, is_stop)
        for level, name, state, reason, at_ns, is_stop in found
    ]  # fmt: skip
