"""Positions and profit: realised by the books, unrealised at the last closes, by account, set, instrument and day.

Profit of a day is what was realised on it, plus what the unrealised profit changed by from the close before to the
day's last close, less fees. So the profit of all days is the profit there is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from apps.execution.contracts import CashKind
from apps.reporting.daily import Close, Turn, ValueOf, days_of, days_of_alike, value_of
from apps.reporting.kept import Kept
from apps.reporting.rates import Rate, Rates
from apps.reporting.scoping import Columns, Scope, ScopeError, Walk, rows, where

BY = ("account", "set", "instrument", "day")
_KEPT = Kept("execution")


class PositionRow(NamedTuple):
    """What a book holds. None: there is no price yet, or no rate to the account's currency.

    `close` is in quote currency, all else in the account's: `price` is what a unit has cost.
    """

    account: str
    set: str
    instrument: str
    currency: str
    lots: float | None
    price: float | None
    close: float | None
    value: float | None
    unrealised: float | None
    realised: float
    fees: float
    steps: int


class PnlRow(NamedTuple):
    """Profit of a group, in one currency; `total` is realised + unrealised + swap + dividends - fees.

    None: a price is missing. What was paid in or out is no profit.
    """

    group: tuple[str, ...]
    currency: str
    fills: int
    realised: float
    unrealised: float | None
    swap: float
    dividends: float
    fees: float
    total: float | None


class Terms(NamedTuple):
    """What a lot step of an instrument is, and in which currency it is quoted."""

    currency: str
    tick_e9: int
    lot_step_e9: int
    contract_e9: int

    def value_micro(self, steps: int, quote: tuple[int, int], rate: Rate) -> int:
        """Return what lot steps are worth at the middle of a quote, in micro units, rounded half-even once."""
        top = steps * self.lot_step_e9 * self.contract_e9 * sum(quote) * self.tick_e9
        return half_even(top * rate.top, 2 * 10**21 * rate.bottom)


def half_even(top: int, bottom: int) -> int:
    """Return top / bottom as a whole number, halves to even."""
    whole, rest = divmod(top, bottom)
    return whole + (2 * rest > bottom or (2 * rest == bottom and whole % 2 == 1))


@dataclass(slots=True)
class _Sum:
    fills: int = 0
    realised: int = 0
    fees: int = 0
    swap: int = 0
    dividends: int = 0
    unrealised: int | None = 0

    def add(self, fills: int, realised: int, fees: int, unrealised: int | None) -> None:
        self.fills += fills
        self.realised += realised
        self.fees += fees
        has_price = self.unrealised is not None and unrealised is not None
        self.unrealised = (self.unrealised or 0) + (unrealised or 0) if has_price else None


_Sums = dict[tuple[tuple[str, ...], str], _Sum]
PositionPlace = tuple[str, str, str]
"""Where a position stands among all: account, book, instrument."""
_PLACE = ("a.id", "p.book", "p.instrument")


def positions(
    scope: Scope, most: int, after: PositionPlace | None = None, *, only_open: bool = False
) -> list[PositionRow]:
    """Return what books hold, by account, book and instrument, after the one at `after`."""
    return list(_told(_positions(scope, most, after, only_open=only_open)))


def positions_of(scope: Scope, places: Sequence[PositionPlace]) -> dict[PositionPlace, PositionRow]:
    """Return positions within a scope by (account, book, instrument), those of the places that are asked for."""
    columns = [list(column) for column in zip(*places, strict=True)] or [[], [], []]
    known = (
        "EXISTS (SELECT FROM unnest(%s::text[], %s::text[], %s::text[]) AS w(account, book, instrument) "
        "WHERE w.account = a.id AND w.book = p.book AND w.instrument = p.instrument)"
    )
    found = _told(_positions(scope, condition=known, more=columns))
    return {(each.account, each.set, each.instrument): each for each in found}


def _told(found: Iterable[tuple[Any, ...]]) -> Iterator[PositionRow]:
    for account, book, instrument, currency, steps, cost, realised, fees, _, _, terms, quote, value in found:
        lots = steps * terms.lot_step_e9 / 1e9 if terms else None
        per_price = lots * terms.contract_e9 / 1e9 if terms and lots else 0.0
        yield PositionRow(
            account, book, instrument, currency, lots,
            cost / 1e6 / per_price if per_price else None,
            (quote[0] + quote[1]) * terms.tick_e9 / 2e9 if terms and quote else None,
            None if value is None else value / 1e6,
            _unrealised(steps, cost, value, 1e6),
            realised / 1e6, fees / 1e6, steps,
        )  # fmt: skip


def _unrealised(steps: int, cost: int, value: int | None, unit: float = 1.0) -> Any:
    if not steps:
        return 0 if unit == 1.0 else 0.0
    return None if value is None else (value - cost if unit == 1.0 else (value - cost) / unit)


def pnl(scope: Scope, by: Sequence[str], most: int, after: tuple[tuple[str, ...], str] | None = None) -> list[PnlRow]:
    """Return profit by groups of `by` (some of BY), in the order of the groups. Raises ScopeError for another name.

    `after` is the group and the currency of the last one that was returned before.
    """
    unknown = [name for name in by if name not in BY]
    if unknown:
        raise ScopeError(f"profit cannot be told by {', '.join(unknown)}: choose from {', '.join(BY)}")
    if scope.account or "account" not in by[:1]:
        return _page(_sums(scope, by), most, after)
    # Of ten thousand accounts only those are looked at that the page can have.
    sums: _Sums = {}
    found: list[PnlRow] = []
    for accounts in _accounts_onward(scope, after[0][0] if after else "", most):
        sums |= _sums(replace(scope, accounts=accounts), by)
        found = _page(sums, most, after)
        if len(found) == most:
            break
    return found


def _page(sums: "_Sums", most: int, after: tuple[tuple[str, ...], str] | None) -> list[PnlRow]:
    wanted = sorted(place for place in sums if after is None or place > after)[:most]
    return [_pnl_row(*place, sums[place]) for place in wanted]


def _accounts_onward(scope: Scope, first: str, most: int) -> Iterator[tuple[str, ...]]:
    """Yield accounts of a scope from one on, by their ids: as many as are wanted, then more and more."""
    limits, values = where(Scope(client=scope.client), Columns())
    sign = ">="
    while True:
        found = rows(
            f'SELECT a.id FROM reporting_account AS a WHERE {limits} AND a.id COLLATE "C" {sign} %s '  # noqa: S608  (names of ours)
            'ORDER BY a.id COLLATE "C" LIMIT %s',
            [*values, first, most],
        )
        if found:
            yield tuple(account for (account,) in found)
        if len(found) < most:
            return
        first, sign, most = found[-1][0], ">", most * 4


def _sums(scope: Scope, by: Sequence[str]) -> "_Sums":
    """Return the sums of groups, by group and currency."""
    sums: _Sums = defaultdict(_Sum)
    if "day" in by or scope.day is not None:
        found = _by_day(scope) if "account" in by else _by_day_alike(scope)
        for names, currency, fills, realised, fees, change in found:
            sums[tuple(names[name] for name in by), currency].add(fills, realised, fees, change)
    elif "account" in by:
        for account, book, instrument, currency, steps, cost, realised, fees, fills, *_, value in _positions(scope):
            names = {"account": account, "set": book, "instrument": instrument}
            group = tuple(names[name] for name in by)
            sums[group, currency].add(fills, realised, fees, _unrealised(steps, cost, value))
    else:
        for names, currency, fills, realised, fees, unrealised in _positions_alike(scope):
            sums[tuple(names[name] for name in by), currency].add(fills, realised, fees, unrealised)
    for names, currency, swap, dividends in _cash(scope):
        of_group = sums[tuple(names[name] for name in by), currency]
        of_group.swap += swap
        of_group.dividends += dividends
    return sums


def _pnl_row(group: tuple[str, ...], currency: str, of: _Sum) -> PnlRow:
    others = of.realised + of.swap + of.dividends - of.fees
    unrealised = None if of.unrealised is None else of.unrealised / 1e6
    total = None if of.unrealised is None else (others + of.unrealised) / 1e6
    money = (of.swap / 1e6, of.dividends / 1e6, of.fees / 1e6)
    return PnlRow(group, currency, of.fills, of.realised / 1e6, unrealised, *money, total)


def _cash(scope: Scope) -> Iterator[tuple[dict[str, str], str, int, int]]:
    """Yield (names, currency, swap, dividends) of each book's days that had any."""
    limits, values = where(scope, Columns(set="c.book", instrument="c.instrument", day="c.day"))
    found = rows(
        f"""
        SELECT a.id, c.book, c.instrument, c.day, a.currency, sum(c.amount_micro) FILTER (WHERE c.kind = %s),
          sum(c.amount_micro) FILTER (WHERE c.kind = %s)
        FROM reporting_cash AS c JOIN reporting_account AS a ON a.number = c.account
        WHERE c.kind <> %s AND {limits} GROUP BY a.id, c.book, c.instrument, c.day, a.currency
        """,  # noqa: S608  (names of ours)
        [int(CashKind.SWAP), int(CashKind.DIVIDEND), int(CashKind.PAYMENT), *values],
    )
    for account, book, instrument, day, currency, swap, dividends in found:
        names = {"account": account, "set": book, "instrument": instrument, "day": day.isoformat()}
        yield names, currency, int(swap or 0), int(dividends or 0)


def _positions(
    scope: Scope, most: int | None = None, after: PositionPlace | None = None, *, only_open: bool = False,
    condition: str = "true", more: Sequence[Any] = (),
) -> list[tuple[Any, ...]]:  # fmt: skip
    if scope.day is not None:
        raise ScopeError("positions are those of now: ask for `pnl --by day`, or leave out the day")
    limits, values = where(scope, Columns(set="p.book", instrument="p.instrument"))
    walk = Walk(_PLACE, after, is_rising=True)
    beyond, place = walk.beyond()
    found = rows(
        f"""
        SELECT a.id, p.book, p.instrument, a.currency, p.steps, p.cost_micro, p.realised_micro, p.fee_micro, p.fills,
          a.via
        FROM reporting_position AS p JOIN reporting_account AS a ON a.number = p.account
        WHERE {limits} AND {condition} AND {beyond} AND (p.steps <> 0 OR NOT %s) ORDER BY {walk.order()} LIMIT %s
        """,  # noqa: S608  (names of ours)
        [*values, *more, *place, only_open, most],
    )
    terms, closes = _terms(), _last_prices()
    rates = _rates(terms, closes)
    return [(*row, *_valued(row, terms.get(row[2]), closes.get(row[2]), rates)) for row in found]


def _positions_alike(scope: Scope) -> Iterator[tuple[dict[str, str], str, int, int, int, int | None]]:
    """Yield (names, currency, fills, realised, fees, unrealised) of positions that are the same but for the account.

    They are worth the same to the last unit, so that it is looked up once for all of them.
    """
    limits, values = where(scope, Columns(set="p.book", instrument="p.instrument"))
    found = _KEPT.get(
        ("positions", scope),
        lambda: rows(
            f"""
            SELECT p.book, p.instrument, a.currency, a.via, p.steps, count(*), sum(p.cost_micro), sum(p.realised_micro),
              sum(p.fee_micro), sum(p.fills)
            FROM reporting_position AS p JOIN reporting_account AS a ON a.number = p.account
            WHERE {limits} GROUP BY p.book, p.instrument, a.currency, a.via, p.steps
            """,  # noqa: S608  (names of ours)
            values,
        ),
    )
    terms, closes = _terms(), _last_prices()
    rates = _rates(terms, closes)
    for book, instrument, currency, via, steps, count, cost, realised, fees, fills in found:
        place = ("", book, instrument, currency, steps, 0, 0, 0, 0, via)
        *_, value = _valued(place, terms.get(instrument), closes.get(instrument), rates)
        unrealised = _unrealised(steps, int(cost), None if value is None else int(count) * value)
        names = {"set": book, "instrument": instrument}
        yield names, currency, int(fills), int(realised), int(fees), unrealised


def _valued(
    row: tuple[Any, ...], terms: Terms | None, closes: Sequence[tuple[date, int, int]] | None, rates: Rates
) -> tuple[Terms | None, tuple[int, int] | None, int | None]:
    """Return terms, last quote and value of a position, as far as they are known."""
    if terms is None or not closes:
        return terms, None, None
    quote, rate = closes[-1][1:], rates.of(terms.currency, row[3], via=row[9])
    return terms, quote, None if rate is None else terms.value_micro(row[4], quote, rate)


def _by_day(scope: Scope) -> Iterator[tuple[dict[str, str], str, int, int, int, int | None]]:
    """Yield (names, currency, fills, realised, fees, change of unrealised) of each book's days."""
    limits, values = where(replace(scope, day=None), Columns(set="d.book", instrument="d.instrument"))
    found = rows(
        f"""
        SELECT a.id, d.book, d.instrument, a.currency, d.day, d.fills, d.realised_micro, d.fee_micro, d.steps,
          d.cost_micro, a.via
        FROM reporting_day AS d JOIN reporting_account AS a ON a.number = d.account
        WHERE {limits} ORDER BY a.id, d.book, d.instrument, d.day
        """,  # noqa: S608  (names of ours)
        values,
    )
    books: dict[tuple[str, str, str, str, str], dict[date, tuple[int, ...]]] = defaultdict(dict)
    for account, book, instrument, currency, day, *numbers, via in found:
        books[account, book, instrument, currency, via][day] = tuple(numbers)
    closes, value = _valuing()
    for (account, book, instrument, currency, via), days in books.items():
        names = {"account": account, "set": book, "instrument": instrument}
        for each in days_of(days, closes(instrument), value(instrument, currency, via)):
            if scope.day in (None, each.day):
                yield names | {"day": each.day.isoformat()}, currency, *each[1:]


def _by_day_alike(scope: Scope) -> Iterator[tuple[dict[str, str], str, int, int, int, int | None]]:
    """Yield what `_by_day` does, summed over the accounts, which are not named."""
    limits, values = where(replace(scope, day=None), Columns(set="d.book", instrument="d.instrument"))
    found = _KEPT.get(
        ("days", replace(scope, day=None)),
        lambda: rows(
            f"""
            WITH turns AS (
              SELECT d.book, d.instrument, a.currency, a.via, d.day, lag(d.day) OVER of_book AS old_day,
                lag(d.steps, 1, 0::bigint) OVER of_book AS old_steps, d.steps, d.fills, d.realised_micro, d.fee_micro,
                d.cost_micro, lag(d.cost_micro, 1, 0::bigint) OVER of_book AS old_cost_micro
              FROM reporting_day AS d JOIN reporting_account AS a ON a.number = d.account
              WHERE {limits} WINDOW of_book AS (PARTITION BY d.account, d.instrument, d.book ORDER BY d.day))
            SELECT book, instrument, currency, via, day, old_day, old_steps, steps, count(*), sum(fills)::bigint,
              sum(realised_micro)::bigint, sum(fee_micro)::bigint, sum(cost_micro)::bigint, sum(old_cost_micro)::bigint
            FROM turns GROUP BY book, instrument, currency, via, day, old_day, old_steps, steps
            """,  # noqa: S608  (names of ours)
            values,
        ),
    )
    books: dict[tuple[str, str, str, str], list[Turn]] = defaultdict(list)
    for book, instrument, currency, via, *numbers in found:
        books[book, instrument, currency, via].append(Turn(*numbers))
    closes, value = _valuing()
    for (book, instrument, currency, via), turns in books.items():
        names = {"set": book, "instrument": instrument}
        for each in days_of_alike(turns, closes(instrument), value(instrument, currency, via)):
            if scope.day in (None, each.day):
                yield names | {"day": each.day.isoformat()}, currency, *each[1:]


def _valuing() -> tuple[Callable[[str], Sequence[Close]], Callable[[str, str, str], ValueOf]]:
    """Return the closes of an instrument, and what values it in an account's currency, over a third one."""
    terms, prices = _terms(), _prices()
    rates = _rates(terms, prices)

    def closes(instrument: str) -> Sequence[Close]:
        return prices.get(instrument, [])

    def value(instrument: str, currency: str, via: str) -> ValueOf:
        of = terms.get(instrument)
        if of is None:
            return value_of(None, [], lambda _: None)
        return value_of(of.value_micro, closes(instrument), lambda day: rates.of(of.currency, currency, day, via=via))

    return closes, value


def _terms() -> dict[str, Terms]:
    found = rows("SELECT id, currency, tick_e9, lot_step_e9, contract_e9 FROM reporting_instrument", [])
    return {name: Terms(*numbers) for name, *numbers in found}


def _rates(terms: Mapping[str, Terms], closes: Mapping[str, Sequence[tuple[date, int, int]]]) -> Rates:
    return Rates({name: (each.currency, each.tick_e9) for name, each in terms.items()}, closes)


def _last_prices() -> dict[str, list[tuple[date, int, int]]]:
    """Return the last close of each instrument."""
    found = rows(
        "SELECT i.id, p.day, p.bid_ticks, p.ask_ticks FROM reporting_instrument AS i CROSS JOIN LATERAL "
        "(SELECT * FROM reporting_price WHERE instrument = i.id ORDER BY day DESC LIMIT 1) AS p",
        [],
    )
    return {name: [(day, bid, ask)] for name, day, bid, ask in found}


def _prices() -> dict[str, list[tuple[date, int, int]]]:
    """Return the closes of each instrument's days, oldest first."""
    prices: dict[str, list[tuple[date, int, int]]] = defaultdict(list)
    for name, *close in rows("SELECT instrument, day, bid_ticks, ask_ticks FROM reporting_price ORDER BY day", []):
        prices[name].append(tuple(close))  # type: ignore[arg-type]
    return prices
