"""The paper broker's fills are those of a backtest: the same orders on the same bars, one order to a desk."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.execution.contracts import InstrumentTerms
from apps.execution.packed import pack
from apps.execution.paper import protocol
from apps.execution.paper.book import Book
from apps.execution.paper.broker import FREE, Broker, Options, Work
from apps.execution.paper.faults import Faults
from trading.books import At, Spec, open_desk
from trading.matching import at_open, fill_market, walk
from trading.orders import Quote, Rules, accept
from trading.sizing import FIXED_LOTS, Sizing
from trading.targets import GTC, IOC, LIMIT, LOTS, MARKET, STOP, STOP_LIMIT, Target

TICK, STEP, CONTRACT = 0.00001, 0.01, 100_000.0
TERMS = InstrumentTerms(
    id="X", currency="USD", tick_e9=10_000, lot_step_e9=10_000_000, lot_min_steps=1, contract_e9=10**14
)
COSTS = FREE._replace(fee_rate=0.00002, fee_lot=3.5, fee_minimum=0.5, slip_rate=0.00003)
NEAR = st.integers(110_000, 110_060)


@st.composite
def bars(draw: Any) -> list[list[int]]:
    """Bars of bid ticks: [open, high, low, close]; the ask is 3 ticks above."""
    found = []
    for _ in range(draw(st.integers(1, 5))):
        points = [draw(NEAR) for _ in range(4)]
        found.append([points[0], max(points), min(points), points[3]])
    return found


def backtest(order: dict[str, int], prices: list[list[int]]) -> list[tuple[float, ...]]:
    """Return (time, lots, price, fee, cash) of what the backtest's kernels fill of an order."""
    desk = open_desk(1e6, 1, 1, 16)
    spec = Spec(TICK, STEP, 0.0, CONTRACT, 0.0, 1)
    rules = Rules(COSTS, Sizing(FIXED_LOTS, 0.0, 1), 1, 0, np.nan, 0.0, 0)
    stop = order["kind"] in (STOP, STOP_LIMIT)
    price = (order["stop_ticks"] if stop else order["limit_ticks"]) / 100_000
    target = Target(
        order["steps"] / 100, LOTS, order["kind"], price, order["limit_ticks"] / 100_000,
        np.nan, np.nan, np.nan, order["time_in_force"], 0, 1,
    )  # fmt: skip
    for bar, points in enumerate(prices):
        bid = [each / 100_000 for each in points]
        ask = [(each + 3) / 100_000 for each in points]
        quote = Quote(At(0, bar, bar + 1, 1.0), At(0, bar, bar + 2, 1.0), np.nan, np.nan, *ask, *bid)
        if bar == 0:
            accept(desk, at_open(quote), spec, rules, target)
        fill_market(desk, at_open(quote), spec, rules, 0)
        walk(desk, quote, spec, rules)
    fills = desk.fills[: desk.account[0].n_fills]
    return [(f.time, f.quantity, f.price, f.fee, f.cash - 1e6) for f in fills]


def paper(order: dict[str, int], prices: list[list[int]]) -> tuple[Broker, list[Any]]:
    """Return the broker after an order has met bars, and all records that it kept."""
    broker, work = Broker(Book(), Options(at_next=True, costs=COSTS), Faults()), Work()
    one = pack(np.ones(1, np.int64))
    broker.handle(0, protocol.Open(rows=1, account=one, fee_rate_e9=pack(np.array([20_000]))), 1, work)
    broker.handle(0, protocol.Login(rows=1, account=one), 1, work)
    columns = {name: pack(np.array([number])) for name, number in order.items()}
    submit = protocol.Submit(
        session=1, deadline_ns=9, rows=1, terms=[TERMS], client_ids=b"a" * 24, account=one, instrument=b"", **columns
    )
    broker.handle(0, submit, 1, work)
    for bar, points in enumerate(prices):
        sides = {}
        for side, spread in (("bid", 0), ("ask", 3)):
            for name, ticks in zip(("open", "high", "low", "close"), points, strict=True):
                sides[f"{side}_{name}"] = pack(np.array([(ticks + spread) * TERMS.tick_e9]))
        broker.handle(
            0, protocol.Prices(rows=1, terms=[TERMS], time_ns=bar + 1, closed_ns=bar + 2, day=1, **sides), 1, work
        )
    return broker, work.records


ORDERS = st.fixed_dictionaries(
    {
        "steps": st.integers(-300, 300).filter(bool),
        "kind": st.sampled_from([MARKET, LIMIT, STOP, STOP_LIMIT]),
        "limit_ticks": NEAR,
        "stop_ticks": NEAR,
        "time_in_force": st.sampled_from([GTC, IOC]),
    }
)


@given(ORDERS, bars())
def test_an_order_is_filled_as_the_backtest_fills_it(order, prices):
    expected = backtest(order, prices)
    book = paper(order, prices)[0].book
    fills = book.reports.rows[book.reports.rows["kind"] == 1]
    found = [
        (each["at_ns"], each["steps"] / 100, each["price_e9"] / 1e9, each["fee_micro"] / 1e6, each["cash_micro"] / 1e6)
        for each in fills
    ]
    assert [each[:4] for each in found] == [each[:4] for each in expected]
    np.testing.assert_allclose([each[4] for each in found], [each[4] for each in expected], rtol=0, atol=1e-9)


@given(ORDERS, bars())
def test_what_the_records_rebuild_is_what_the_broker_knew(order, prices):
    broker, records = paper(order, prices)
    rebuilt = Book()
    for record in records:
        rebuilt.apply(record)
    for one, other in ((broker.book, rebuilt),):
        assert one.orders.rows.tolist() == other.orders.rows.tolist()
        assert one.reports.rows.tolist() == other.reports.rows.tolist()
        assert one.accounts.rows.tolist() == other.accounts.rows.tolist()
        assert one.positions().tolist() == other.positions().tolist()
