"""Accounts whose currency is not that in which an instrument is quoted."""

import numpy as np
import pytest

from apps.execution.book_contracts import SkipReason
from apps.execution.contracts import (
    AccountValued,
    InstrumentTerms,
    OrdersFilled,
    OrdersReleased,
    OrdersReported,
    OrdersRequested,
    ReportKind,
)
from apps.execution.kernels.paper import REJECTED, WORKING
from apps.execution.packed import pack, unpack
from apps.execution.paper import protocol
from apps.execution.paper.book import Book
from apps.execution.paper.broker import Broker, Options, Work
from apps.execution.paper.faults import Faults
from apps.signals.contracts import Quoted
from banyan.columns import ints
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, Desk, only, skip, target
from trading.instruments import base_currency

DAX = InstrumentTerms(
    id="SIM:DAX", currency="EUR", tick_e9=500_000_000, lot_step_e9=10**9, lot_min_steps=1, contract_e9=25 * 10**9
)
NIKKEI = InstrumentTerms(
    id="SIM:NIKKEI", currency="JPY", tick_e9=10**9, lot_step_e9=10**9, lot_min_steps=1, contract_e9=10**9
)
USDJPY = InstrumentTerms(
    id="SIM:USDJPY", currency="JPY", tick_e9=1_000_000, lot_step_e9=10**9, lot_min_steps=1, contract_e9=10**9
)
PRICES = {**QUOTES, DAX.id: (36_000, 36_002), NIKKEI.id: (40_000, 40_010), USDJPY.id: (149_990, 150_010)}
EUR_IN_USD = 1.12341


@pytest.fixture(autouse=True)
def _quotes(monkeypatch):
    for name, quote in PRICES.items():
        monkeypatch.setitem(QUOTES, name, quote)


def mark(*names):
    return [Quoted(instrument=each, bid_ticks=PRICES[each][0], ask_ticks=PRICES[each][1]) for each in names]


@pytest.mark.parametrize(
    ("instrument", "currency", "base"),
    [
        ("OANDA:EURUSD", "USD", "EUR"), ("X:EUR_USD", "USD", "EUR"), ("BINANCE:BTCUSDT", "USDT", "BTC"),
        ("XETR:DAX", "EUR", ""), ("X:EURUSD", "EUR", ""), ("X:USD", "USD", ""), ("X:EURUSD", "", ""),
    ],
)  # fmt: skip
def test_a_pair_of_currencies_is_known_by_its_symbol(instrument, currency, base):
    assert base_currency(instrument, currency) == base


def test_an_order_is_sized_and_valued_by_the_rate_that_came_with_the_target():
    desk = Desk()
    desk.open(1, deposit=100_000_000)
    desk.configure("trend", DAX, conversions=[EURUSD], sizing="weights")
    desk.subscribe("trend", 1)
    request = only(desk.feed(target("trend", 1, {DAX.id: 0.9}, mode=ints([0]), marks=mark(EURUSD.id))), OrdersRequested)
    assert request.steps.tolist() == [int(90_000_000 / (18_001.0 * 25 * EUR_IN_USD))]
    assert request.step_value_micro.tolist() == [round(18_000.5 * 25 * EUR_IN_USD * 1e6)]


@pytest.mark.parametrize("via", ["USD", "", "GBP"])
def test_what_has_no_pair_is_converted_over_the_accounts_currency_between(via):
    desk = Desk()
    desk.open(1, currency="EUR", deposit=1_000_000, via=via)
    desk.configure("trend", NIKKEI, conversions=[EURUSD, USDJPY], sizing="weights")
    desk.subscribe("trend", 1)
    marks = mark(EURUSD.id, USDJPY.id)
    given = desk.feed(target("trend", 1, {NIKKEI.id: 0.5}, mode=ints([0]), marks=marks))
    if via != "USD":
        assert skip(given)[0] == SkipReason.NO_CONVERSION
        return
    yen = 1 / 150.0 * (1 / EUR_IN_USD)
    assert only(given, OrdersRequested).step_value_micro.tolist() == [round(40_005 * yen * 1e6)]


def test_a_pair_converts_the_other_way_too_and_its_own_quote_will_do():
    desk = Desk()
    desk.open(1, currency="EUR")
    desk.open(2, currency="USD")
    desk.configure("trend")
    desk.subscribe("trend", 1, 2)
    request = only(desk.target("trend", 1, EURUSD=0.05), OrdersRequested)
    assert request.account.tolist() == [1, 2]
    assert request.step_value_micro.tolist() == [1_000_000_000, 1_123_410_000]  # 1,000 EUR are 1,000 EUR


def test_a_currency_that_is_the_base_of_no_pair_is_converted_by_the_pair_that_is_quoted_in_it():
    desk = Desk()
    desk.open(1, deposit=100_000)
    desk.configure("trend", NIKKEI, conversions=[USDJPY])
    desk.subscribe("trend", 1)
    request = only(desk.feed(target("trend", 1, {NIKKEI.id: 3}, marks=mark(USDJPY.id))), OrdersRequested)
    assert request.step_value_micro.tolist() == [round(40_005 / 150.0 * 1e6)]


def test_cash_is_what_the_broker_has_converted_and_else_what_follows_from_the_last_rate():
    for told in (-505_000_000_001, 0):
        desk = Desk()
        desk.open(1, deposit=1_000_000)
        desk.configure("trend", DAX, conversions=[EURUSD])
        desk.subscribe("trend", 1)
        request = only(desk.feed(target("trend", 1, {DAX.id: 1}, marks=mark(EURUSD.id))), OrdersRequested)
        released = only(desk.approve(request), OrdersReleased)
        events = desk.feed(
            OrdersReported(
                instruments=[DAX.id], account=ints([1]), instrument=ints(), decision=released.decision,
                kind=ints([ReportKind.FILLED]), steps=ints([1]), price_e9=ints([18_001 * 10**9]),
                amount_micro=ints([told]), fee_micro=ints([7]), at_ns=ints([1]), execution_id=["x"],
            )
        )  # fmt: skip
        amount = told or -round(18_001 * 25 * EUR_IN_USD * 1e6)
        assert only(events, OrdersFilled).amount_micro.tolist() == [amount]
        assert desk.balance(1) == 10**12 + amount - 7
        held = round(18_000.5 * 25 * EUR_IN_USD * 1e6)
        valued = only(events, AccountValued)
        assert (valued.gross_micro[0], valued.equity_micro[0]) == (held, desk.balance(1) + held)


def test_books_of_an_account_in_another_currency_cross_at_the_converted_middle():
    desk = Desk()
    desk.open(1, currency="EUR", deposit=100_000, ready=False)
    for name, lots in (("a", 0.1), ("b", -0.1)):
        desk.configure(name)
        desk.subscribe(name, 1, allocation_e9=500_000_000, join="converge")
        desk.target(name, 1, EURUSD=lots)
    desk.reconcile(1)
    assert (desk.held(1, "a"), desk.held(1, "b")) == (10, -10)
    assert desk.line(1, EURUSD.id, "b").cash_micro == 10_000 * 10**6


def paper(*currencies):
    broker, work = Broker(Book(), Options(), Faults()), Work()
    numbers = np.arange(1, len(currencies) + 1)
    for request in (
        protocol.Open(rows=numbers.size, account=pack(numbers), currencies=currencies, currency=pack(numbers - 1)),
        protocol.Login(rows=numbers.size, account=pack(numbers)),
    ):
        broker.handle(0, request, 1, work)
    return broker, work


def prices(*terms):
    bid, ask = (np.array([PRICES[each.id][side] * each.tick_e9 for each in terms]) for side in (0, 1))
    return protocol.Prices(rows=len(terms), terms=list(terms), time_ns=1, bid_open=pack(bid), ask_open=pack(ask))


def submit(**columns):
    given = {name: pack(np.array(column)) for name, column in columns.items()}
    rows = len(columns["account"])
    ids = b"".join(b"%024d" % (number + 1) for number in range(rows))
    return protocol.Submit(
        session=1, deadline_ns=10, rows=rows, terms=[DAX], client_ids=ids, instrument=b"", **given
    )  # fmt: skip


def test_the_paper_broker_converts_to_each_account_s_currency_and_says_so():
    broker, work = paper("EUR", "USD", "")
    broker.handle(0, prices(DAX, EURUSD), 1, work)
    broker.handle(0, submit(account=[1, 2, 3], steps=[1, 1, 1]), 2, work)
    in_eur = 18_001 * 25 * 10**6
    in_usd = round(18_001 * 25 * EUR_IN_USD * 1e6)
    assert broker.book.accounts.rows["cash_micro"].tolist() == [-in_eur, -in_usd, -in_eur]
    told = [frame for _, frame in work.answers if isinstance(frame, protocol.Reports) and frame.price_e9]
    assert unpack(told[-1].amount_micro, 3).tolist() == [0, -in_usd, 0]
    again = Book()
    for record in work.records:
        again.apply(record)
    assert again.accounts.rows.tolist() == broker.book.accounts.rows.tolist()


def test_the_paper_broker_fills_nothing_that_it_cannot_convert():
    broker, work = paper("USD")
    broker.handle(0, prices(DAX), 1, work)
    broker.handle(0, submit(account=[1, 1], steps=[1, 1], kind=[0, 1], limit_ticks=[0, 40_000]), 2, work)
    assert broker.book.orders.rows["filled"].tolist() == [0, 0]
    assert broker.next_due_ns() == 11
    broker.settle(11, work)
    told = [frame for _, frame in work.answers if isinstance(frame, protocol.Reports)]
    assert unpack(told[-1].code, told[-1].rows).tolist() == [protocol.Code.NO_PRICE]
    broker.handle(0, prices(EURUSD, DAX), 12, work)
    assert broker.book.orders.rows["filled"].tolist() == [0, 1]
    again = Book()
    for record in work.records:
        again.apply(record)
    assert again.orders.rows["status"].tolist() == broker.book.orders.rows["status"].tolist()


def test_an_order_that_comes_before_the_first_price_or_rate_is_filled_when_it_is_there():
    broker, work = paper("USD")
    broker.handle(0, submit(account=[1], steps=[1]), 2, work)
    broker.handle(0, prices(DAX), 3, work)
    assert broker.book.orders.rows["filled"].tolist() == [0]
    broker.handle(0, prices(EURUSD), 4, work)
    assert broker.book.orders.rows["filled"].tolist() == [1]
    assert broker.next_due_ns() is None


def test_gold_in_dollars_is_not_touched_by_any_rate():
    desk = Desk()
    desk.open(1, deposit=100_000)
    desk.configure("trend", GOLD)
    desk.subscribe("trend", 1)
    assert only(desk.target("trend", 1, GOLD=2), OrdersRequested).step_value_micro.tolist() == [1_200_250_000]


def test_an_order_that_waited_for_a_price_when_its_broker_ended_waits_no_longer():
    broker, work = paper("USD")
    broker.handle(0, prices(DAX), 1, work)
    broker.handle(0, submit(account=[1, 1], steps=[1, 1], kind=[0, 1], limit_ticks=[0, 40_000]), 2, work)
    book = Book()
    for record in work.records:
        book.apply(record)
    again = Broker(book, broker.options, Faults())
    assert again.next_due_ns() is not None
    again.settle(3, Work())
    assert book.orders.rows["status"].tolist() == [REJECTED, WORKING]
    assert again.next_due_ns() is None
