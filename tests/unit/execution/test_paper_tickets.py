"""Brackets at the paper broker: a book's versions, with entries and protective orders, fill as a channel's do."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.execution.contracts import InstrumentTerms, ReportKind
from apps.execution.kernels.paper import WORKING
from apps.execution.kernels.paper_tickets import PROTECTIVE, admit, follow_reports, match_tickets
from apps.execution.packed import pack
from apps.execution.paper import protocol
from apps.execution.paper.book import Book
from apps.execution.paper.broker import FREE, Broker, Options, Work, warm
from apps.execution.paper.faults import Dice, Faults
from apps.execution.paper.protocol import Code
from trading.books import At, Spec, open_desk
from trading.matching import at_open, expire, fill_market, walk
from trading.orders import Place, Quote, Rules, accept
from trading.sizing import FIXED_LOTS, Sizing
from trading.targets import FOK, GTC, IOC, LIMIT, LOTS, MARKET, STOP, STOP_LIMIT, Target

TICK, STEP, CONTRACT, SPREAD = 0.00001, 0.01, 100_000.0, 3
TERMS = InstrumentTerms(
    id="X", currency="USD", tick_e9=10_000, lot_step_e9=10_000_000, lot_min_steps=1, contract_e9=10**14
)
COSTS = FREE._replace(fee_rate=0.00002, fee_lot=3.5)
NEAR = st.integers(110_000, 110_060)
LEVEL = st.one_of(st.just(0), NEAR)


class Version(NamedTuple):
    """A target: `goal` lot steps, and ticks; 0 stands for no level."""

    goal: int
    kind: int = MARKET
    limit: int = 0
    stop: int = 0
    time_in_force: int = GTC
    stop_loss: int = 0
    take_profit: int = 0
    trail: int = 0

    @property
    def has_bracket(self) -> bool:
        return self.goal != 0 and bool(self.stop_loss or self.take_profit or self.trail)


VERSIONS = st.builds(
    Version,
    goal=st.sampled_from([-20, -5, 0, 5, 10, 20]),
    kind=st.sampled_from([MARKET, LIMIT, STOP, STOP_LIMIT]),
    limit=NEAR,
    stop=NEAR,
    time_in_force=st.sampled_from([GTC, IOC, FOK]),
    stop_loss=LEVEL,
    take_profit=LEVEL,
    trail=st.sampled_from([0, 0, 3, 10]),
)


@st.composite
def bars(draw: Any) -> list[list[int]]:
    """Bars of bid ticks: [open, high, low, close]."""
    found = []
    for _ in range(draw(st.integers(2, 6))):
        points = [draw(NEAR) for _ in range(4)]
        found.append([points[0], max(points), min(points), points[3]])
    return found


def quote_of(bar: int, points: list[int]) -> Quote:
    bid = [each / 100_000 for each in points]
    ask = [(each + SPREAD) / 100_000 for each in points]
    return Quote(At(0, bar, bar + 1, 1.0), At(0, bar, bar + 2, 1.0), np.nan, np.nan, *ask, *bid)


def backtest(versions: dict[int, Version], prices: list[list[int]]) -> list[tuple[float, ...]]:
    """Return (time, lots, price, fee, cash) of all fills; a version is accepted after the bar of its number."""
    desk = open_desk(1e6, 1, 1, 64)
    spec, rules = (
        Spec(TICK, STEP, 0.0, CONTRACT, 0.0, 1),
        Rules(COSTS, Sizing(FIXED_LOTS, 0.0, 1), 1, 0, np.nan, 0.0, 0),
    )
    for bar, points in enumerate(prices):
        quote = quote_of(bar, points)
        if desk.books[0].working:
            expire(desk, quote.at, 1)
        fill_market(desk, at_open(quote), spec, rules, 0)
        walk(desk, quote, spec, rules)
        if bar in versions:
            close = Place(quote.closed, quote.ask_close, quote.bid_close, np.nan, np.nan)
            accept(desk, close, spec, rules, target_of(versions[bar], bar + 1))
    fills = desk.fills[: desk.account[0].n_fills]
    return [(f.time, f.quantity, f.price, f.fee, round(f.cash - 1e6, 6)) for f in fills]


def target_of(version: Version, number: int) -> Target:
    stop_first = version.kind in (STOP, STOP_LIMIT)
    kind = version.kind if version.goal else MARKET
    price = (version.stop if stop_first else version.limit) / 100_000
    levels = [each / 100_000 if each else np.nan for each in (version.stop_loss, version.take_profit, version.trail)]
    return Target(
        version.goal / 100, LOTS, kind, price, version.limit / 100_000, *levels, version.time_in_force, 0, number
    )


class Trader:
    """What execution does with versions, at a broker that can be replayed."""

    def __init__(self) -> None:
        self.work = Work()
        self.broker = Broker(Book(), Options(at_next=True, costs=COSTS), Faults())
        self.ask(protocol.Open(rows=1, account=pack(np.ones(1, np.int64)), fee_rate_e9=pack(np.array([20_000]))))
        self.ask(protocol.Login(rows=1, account=pack(np.ones(1, np.int64))))
        self.sent = 0

    def ask(self, request: protocol.Request) -> None:
        self.broker.handle(0, request, 1, self.work)

    def price(self, bar: int, points: list[int]) -> None:
        sides = {}
        for side, spread in (("bid", 0), ("ask", SPREAD)):
            for name, ticks in zip(("open", "high", "low", "close"), points, strict=True):
                sides[f"{side}_{name}"] = pack(np.array([(ticks + spread) * TERMS.tick_e9]))
        self.ask(protocol.Prices(rows=1, terms=[TERMS], time_ns=bar + 1, closed_ns=bar + 2, day=1, **sides))

    def follow(self, version: Version) -> None:
        orders = self.broker.book.orders.rows
        works = np.flatnonzero((orders["status"] == WORKING) & (orders["kind"] != PROTECTIVE))
        guards = self.guards()
        pending = [row for row in guards if self.ticket() is not None and self.ticket()["pending"] == row + 1]
        self.cancel([*works.tolist(), *pending])
        held = int(orders["filled"].sum())
        rows = []
        if version.goal != held:
            kind = version.kind if version.goal else MARKET
            rows.append(
                {
                    "steps": version.goal - held, "kind": kind, "time_in_force": version.time_in_force,
                    "limit_ticks": version.limit if kind in (LIMIT, STOP_LIMIT) else 0,
                    "stop_ticks": version.stop if kind in (STOP, STOP_LIMIT) else 0,
                }
            )  # fmt: skip
        elif version.kind != MARKET and version.goal:
            return  # nothing to enter, so nothing moves either
        if version.has_bracket:
            rows.append(
                {
                    "steps": -version.goal, "kind": PROTECTIVE, "stop_ticks": version.stop_loss,
                    "limit_ticks": version.take_profit, "trail_ticks": version.trail, "base_steps": held,
                }
            )  # fmt: skip
        elif version.goal == held:
            self.cancel(self.guards())
        if rows:
            self.submit(rows)

    def submit(self, rows: list[dict[str, int]], **more: Any) -> None:
        ids = b"".join(b"%024d" % (self.sent + at) for at in range(1, len(rows) + 1))
        self.sent += len(rows)
        names = {name for row in rows for name in row}
        columns = {name: pack(np.array([row.get(name, 0) for row in rows])) for name in names}
        ones = pack(np.ones(len(rows), np.int64))
        submit = protocol.Submit(
            session=1, deadline_ns=9, rows=len(rows), terms=[TERMS], client_ids=ids, account=ones, instrument=b"",
            tag=ones, **columns, **more,
        )  # fmt: skip
        self.ask(submit)

    def cancel(self, rows: list[int]) -> None:
        if rows:
            ids = self.broker.book.ids.ids[np.array(rows)].tobytes()
            self.ask(protocol.Cancel(session=1, rows=len(rows), client_ids=ids))

    def ticket(self) -> Any:
        tickets = self.broker.book.tickets.rows
        return tickets[0] if tickets.size else None

    def waits(self) -> bool:
        """Tell whether a protective order waits for the next prices."""
        return self.ticket() is not None and self.ticket()["pending"] > 0

    def guards(self) -> list[int]:
        orders = self.broker.book.orders.rows
        return np.flatnonzero((orders["status"] == WORKING) & (orders["kind"] == PROTECTIVE)).tolist()

    def fills(self) -> list[tuple[float, ...]]:
        reports = self.broker.book.reports.rows
        found, cash = [], 0
        for report in reports[reports["kind"] == ReportKind.FILLED]:
            cash += int(report["cash_micro"])
            found.append(
                (
                    int(report["at_ns"]), report["steps"] / 100, report["price_e9"] / 1e9, report["fee_micro"] / 1e6,
                    round(cash / 1e6, 6),
                )
            )  # fmt: skip
        return found

    def codes(self) -> list[int]:
        reports = self.broker.book.reports.rows
        return reports["code"][reports["kind"] == ReportKind.CANCELLED].tolist()


def traded(versions: dict[int, Version], prices: list[list[int]]) -> Trader:
    trader = Trader()
    for bar, points in enumerate(prices):
        trader.price(bar, points)
        if bar in versions:
            trader.follow(versions[bar])
    return trader


def test_a_broker_that_is_warm_compiles_nothing_for_its_first_bracket():  # before all others, which compile
    warm()
    assert admit.signatures
    assert match_tickets.signatures
    assert follow_reports.signatures


@given(versions=st.dictionaries(st.integers(0, 4), VERSIONS, min_size=1, max_size=4), prices=bars())
@example(
    versions={0: Version(-20), 2: Version(-20, take_profit=110_000), 4: Version(-20, take_profit=110_000)},
    prices=[[110_000] * 4] * 5,
)
def test_versions_with_brackets_are_filled_as_a_backtest_fills_them(versions, prices):
    trader = traded(versions, prices)
    expected = backtest(versions, prices)
    assert len(trader.fills()) == len(expected)
    assert np.array(trader.fills()) == pytest.approx(np.array(expected))
    assert len(trader.guards()) <= 1 + trader.waits()


@given(versions=st.dictionaries(st.integers(0, 4), VERSIONS, min_size=1, max_size=4), prices=bars())
def test_a_broker_that_comes_back_guards_what_it_guarded(versions, prices):
    trader = traded(versions, prices)
    again = Book()
    for record in trader.work.records:
        again.apply(record)
    book = trader.broker.book
    assert again.tickets.rows.tolist() == book.tickets.rows.tolist()
    assert again.orders.rows.tolist() == book.orders.rows.tolist()


def test_one_fill_of_a_bracket_ends_the_rest_of_it():
    flat = [110_000] * 4
    entered = Version(10, stop_loss=109_990, take_profit=110_020)
    trader = traded({0: entered}, [flat, flat, [110_000, 110_030, 110_000, 110_030]])
    assert [steps for _, steps, *_ in trader.fills()] == [0.1, -0.1]
    assert trader.fills()[1][2] == pytest.approx(1.1002)
    assert not trader.guards()


def test_a_bracket_that_is_moved_takes_the_place_of_the_one_before():
    flat = [110_000] * 4
    versions = {0: Version(10, stop_loss=109_990), 1: Version(10, stop_loss=109_950)}
    trader = traded(versions, [flat, flat, [110_000, 110_000, 109_960, 109_960]])
    assert len(trader.fills()) == 1
    assert trader.codes() == [Code.REPLACED]
    assert len(trader.guards()) == 1


def test_closing_what_is_protected_ends_its_protection():
    flat = [110_000] * 4
    trader = traded({0: Version(10, stop_loss=109_990), 1: Version(0)}, [flat, flat, flat, [109_000] * 4])
    assert [steps for _, steps, *_ in trader.fills()] == [0.1, -0.1]
    assert trader.codes() == [Code.CLOSED]


def test_a_trailing_stop_stays_where_the_best_price_has_brought_it():
    flat = [110_000] * 4
    rise, fall = [110_000, 110_050, 110_000, 110_045], [110_045, 110_045, 110_038, 110_038]
    trader = traded({0: Version(10, trail=10)}, [flat, flat, rise, fall])
    assert trader.fills()[1][2] == pytest.approx(1.1004, abs=1e-4)
    assert not trader.guards()


def at_fault(versions: dict[int, Version], prices: list[list[int]], **faults: Any) -> Trader:
    """Trade at a broker that misbehaves, which settles what it has put off after each bar."""
    trader = Trader()
    trader.broker.dice = Dice(Faults(**faults))
    for bar, points in enumerate(prices):
        trader.price(bar, points)
        if bar in versions:
            trader.follow(versions[bar])
        trader.broker.settle(10**18, trader.work)
    return trader


def replayed(trader: Trader) -> Book:
    again = Book()
    for record in trader.work.records:
        again.apply(record)
    return again


def test_an_entry_that_is_filled_in_part_is_protected_by_what_came_with_it_all_the_way():
    flat = [110_000] * 4
    entered = Version(20, stop_loss=109_990)
    trader = at_fault({0: entered}, [flat, flat, [110_000, 110_000, 109_980, 109_980]], partial=1.0, seed=3)
    bought = [steps for _, steps, *_ in trader.fills() if steps > 0]
    assert len(bought) == 2
    assert sum(bought) == pytest.approx(0.2)
    assert trader.fills()[-1][1] == pytest.approx(-0.2)
    assert (trader.ticket()["steps"], trader.guards()) == (0, [])
    assert replayed(trader).tickets.rows.tolist() == trader.broker.book.tickets.rows.tolist()


def test_all_or_nothing_is_not_filled_in_part():
    trader = at_fault({0: Version(20, time_in_force=FOK)}, [[110_000] * 4] * 2, partial=1.0, seed=3)
    assert [steps for _, steps, *_ in trader.fills()] == [0.2]


def test_an_entry_that_is_late_is_filled_after_its_time_and_protected_from_then_on():
    flat = [110_000] * 4
    trader = Trader()
    trader.broker.dice = Dice(Faults(late=1.0, late_ms=5.0))
    trader.price(0, flat)
    trader.follow(Version(10, stop_loss=109_990))
    trader.price(1, [110_000, 110_000, 109_980, 110_000])
    assert (trader.fills(), trader.waits()) == ([], True)
    trader.broker.settle(10**18, trader.work)
    trader.price(2, flat)
    assert trader.fills()[0][1] == 0.1
    assert replayed(trader).orders.rows["filled"].tolist() == trader.broker.book.orders.rows["filled"].tolist()


def test_an_entry_that_is_cancelled_too_late_leaves_its_fill_under_the_tag():
    flat = [110_000] * 4
    trader = Trader()
    trader.price(0, flat)
    trader.broker.dice = Dice(Faults(late=1.0, late_ms=1e9))
    trader.follow(Version(10))
    trader.follow(Version(0))
    assert [steps for _, steps, *_ in trader.fills()] == [0.1]
    assert trader.ticket()["steps"] == 10
    assert replayed(trader).tickets.rows.tolist() == trader.broker.book.tickets.rows.tolist()
