"""Prices at which nothing is traded: accounts that hold something are worth something else."""

import pytest
from msgspec.structs import replace

from apps.execution.book_contracts import MarkPrices, PricesMarked
from apps.execution.contracts import AccountValued, OrdersRequested
from banyan.columns import ints
from banyan.messages import Message
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, Desk, of_type, only, target

BID, ASK = QUOTES[EURUSD.id]


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.open(1, 2, 3)
    made.configure("trend", EURUSD, GOLD)
    made.subscribe("trend", 1)
    made.trade(made.target("trend", 1, EURUSD=0.10))
    return made


def mark(*quotes: tuple[str, int, int], at_ns: int = 0) -> MarkPrices:
    names, bid, ask = zip(*quotes, strict=True)
    times = ints([at_ns] * len(names)) if at_ns else ints()
    return MarkPrices(
        instruments=list(names), bid_ticks=ints(list(bid)), ask_ticks=ints(list(ask)), quoted_at_ns=times
    )  # fmt: skip


def values(given: list[Message]) -> dict[int, tuple[int, int]]:
    """Return (balance, equity) by account."""
    told = only(given, AccountValued)
    return dict(
        zip(
            told.account.tolist(), zip(told.balance_micro.tolist(), told.equity_micro.tolist(), strict=True),
            strict=True,
        )
    )  # fmt: skip


def test_who_holds_something_is_worth_less_when_its_price_falls_and_nothing_is_traded(desk: Desk) -> None:
    cash, paid = desk.balance(1), int(desk.line(1, EURUSD.id, "trend").cost_micro)
    given = desk.feed(mark((EURUSD.id, BID - 1_000, ASK - 1_000)))
    middle_micro = (BID + ASK - 2_000) * 10 // 2
    assert values(given) == {1: (cash + paid, cash + 10_000 * middle_micro)}
    assert (cash + paid, paid > 0) == (10_000 * 10**6, True), "nothing is realised"
    assert {type(each) for each in given} == {PricesMarked, AccountValued}


def test_a_price_of_before_the_last_one_values_nobody(desk: Desk) -> None:
    decided_ns = 1_000
    assert desk.feed(mark((EURUSD.id, BID - 1_000, ASK - 1_000), at_ns=decided_ns - 1)) == []
    assert values(desk.feed(mark((EURUSD.id, BID - 500, ASK - 500), at_ns=decided_ns))), "its bar was revised"
    assert values(desk.feed(mark((EURUSD.id, BID - 1_000, ASK - 1_000), at_ns=decided_ns + 1)))
    assert desk.feed(mark((EURUSD.id, BID, ASK), at_ns=decided_ns)) == []


def test_an_order_that_had_to_wait_tells_of_when_its_price_is(desk: Desk) -> None:
    told = only(desk.subscribe("trend", 2, join="converge"), OrdersRequested)
    assert (told.quoted_at_ns.tolist(), told.decided_at_ns > 1_000) == ([1_000], True)
    at_ns = desk.now_ns
    assert [type(each) for each in desk.feed(mark((EURUSD.id, BID, ASK), at_ns=at_ns))] == [PricesMarked]
    assert only(desk.subscribe("trend", 3, join="converge"), OrdersRequested).quoted_at_ns.tolist() == [at_ns]
    fresh = only(desk.feed(replace(target("trend", 2, {EURUSD.id: 0.2}), decided_at_ns=desk.now_ns)), OrdersRequested)
    assert fresh.quoted_at_ns.size == 0, "what a set has decided on is of that moment"


def test_who_had_to_wait_is_sized_by_the_last_price(desk: Desk) -> None:
    desk.feed(target("trend", 2, {EURUSD.id: 1.0}, mode=ints([0])))
    desk.feed(mark((EURUSD.id, BID * 2, ASK * 2), at_ns=desk.now_ns))
    told = only(desk.subscribe("trend", 2, join="converge"), OrdersRequested)
    assert told.steps.tolist() == [4], "10,000 buys 0.0445 lots at twice the price that decided"


def test_the_same_prices_again_say_nothing(desk: Desk) -> None:
    desk.feed(mark((EURUSD.id, BID - 1, ASK)))
    assert desk.feed(mark((EURUSD.id, BID - 1, ASK))) == []


@pytest.mark.parametrize(
    "quote", [("SIM:UNKNOWN", 1, 2), (EURUSD.id, 0, 0), (EURUSD.id, 0, ASK), (EURUSD.id, ASK, BID), (EURUSD.id, -2, -1)]
)
def test_what_is_no_quote_of_ours_says_nothing(desk: Desk, quote: tuple[str, int, int]) -> None:
    assert desk.feed(mark(quote)) == []
    told = only(desk.feed(mark(quote, (EURUSD.id, BID - 5, ASK - 5))), PricesMarked)
    assert (told.instruments, told.bid_ticks.tolist()) == ([EURUSD.id], [BID - 5])


def test_a_price_of_what_nobody_holds_is_known_and_changes_no_equity(desk: Desk) -> None:
    before = values(desk.feed(mark((EURUSD.id, BID - 5, ASK - 5))))
    assert values(desk.feed(mark((GOLD.id, 110_000, 110_050)))) == before


def test_where_nobody_holds_anything_nobody_is_valued() -> None:
    empty = Desk()
    empty.open(1)
    empty.configure("trend")
    assert not of_type(empty.feed(mark((EURUSD.id, BID, ASK))), AccountValued)


def test_what_is_traded_in_place_of_another_counts_at_the_others_price(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    mini = replace(EURUSD, id="SIM:EURUSD.mini", tick_e9=100_000, contract_e9=10_000 * 10**9)
    monkeypatch.setitem(QUOTES, mini.id, (11_234, 11_235))
    desk.configure("carry", EURUSD)
    desk.subscribe("carry", 2, symbols={EURUSD.id: mini.id}, symbol_terms=[mini])
    desk.trade(desk.target("carry", 1, EURUSD=1.0))
    before = values(desk.feed(mark((EURUSD.id, BID - 10, ASK - 8))))
    after = values(desk.feed(mark((EURUSD.id, BID - 1_010, ASK - 1_008))))
    assert after[2][1] - before[2][1] == -10_000 * 1_000 * 10
    own = values(desk.feed(mark((EURUSD.id, BID - 10, ASK - 8), (mini.id, 10_000, 10_000))))
    assert own[2][1] - desk.balance(2) == 10_000 * 1_000_000
