"""Settings, and what is refused in so many words."""

import pytest

from apps.execution.book_contracts import (
    CommandRefused,
    ConfigureAccount,
    SettingLevel,
    SkipReason,
    TargetsSkipped,
)
from apps.execution.contracts import (
    InstrumentTerms,
    OrdersReleased,
    OrdersRequested,
    OrderType,
    ReportKind,
    Subscribe,
)
from banyan.columns import ints
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, Desk, of_type, only, skip, target
from trading.targets import LIMIT, STOP, STOP_LIMIT

BID, ASK = QUOTES[EURUSD.id]
EURUSD_FIELDS = {name: getattr(EURUSD, name) for name in EURUSD.__struct_fields__}


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.open(1)
    made.configure("trend")
    made.subscribe("trend", 1)
    return made


def test_settings_come_from_the_narrowest_level_that_gives_them() -> None:
    desk = Desk()
    desk.open(1, 2, 3)
    desk.configure("trend", multiplier_e9=2 * 10**9, lots_max_e9=150_000_000)
    desk.subscribe("trend", 1)
    desk.subscribe("trend", 2, multiplier_e9=10**9)
    desk.subscribe("trend", 3, multiplier_e9=10**9, reverse=True)
    desk.feed(ConfigureAccount(account=3, multiplier_e9=500_000_000))
    request = only(desk.target("trend", 1, EURUSD=0.10), OrdersRequested)
    assert request.steps.tolist() == [15, 10, -5]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, (OrderType.MARKET, 0, 0)),
        ({"entry": ints([LIMIT]), "price": [1.12]}, (OrderType.STOP, 0, 112_000)),
        ({"entry": ints([STOP]), "price": [1.13]}, (OrderType.LIMIT, 113_000, 0)),
        ({"entry": ints([STOP_LIMIT]), "price": [1.13], "limit_price": [1.131]}, (OrderType.LIMIT, 113_000, 0)),
    ],
)
def test_the_reverse_of_a_target_with_prices_is_its_mirror_image(desk: Desk, entry, expected) -> None:
    desk.subscribe("trend", 1, reverse=True)
    wanted = target("trend", 1, {EURUSD.id: 0.1}, stop_loss=[1.1], take_profit=[1.2], trail=[0.01], **entry)
    request = only(desk.feed(wanted), OrdersRequested)
    prices = [int(column[0]) if column.size else 0 for column in (request.order_type, request.limit_ticks,
                                                                  request.stop_ticks)]  # fmt: skip
    assert (request.steps.tolist(), tuple(prices)) == ([-10], expected)
    sent = only(desk.approve(request), OrdersReleased)
    guard = sent.order_type.tolist().index(OrderType.PROTECTIVE)
    bracket = sent.stop_ticks[guard], sent.limit_ticks[guard], sent.trail_ticks[guard]
    assert bracket == (120_000, 110_000, 1_000), "a sale loses above and gains below"


def test_what_is_risked_of_the_reverse_is_what_it_loses_at_its_own_stop() -> None:
    steps = []
    for level in ({"stop_loss": [1.0], "take_profit": [1.223]}, {"stop_loss": [1.1]}):
        desk = Desk()
        desk.open(1, deposit=100_000)
        desk.configure("trend", sizing="risk", sizing_number_e9=10**9)
        desk.subscribe("trend", 1, reverse=True)
        given = desk.feed(target("trend", 1, {EURUSD.id: 1.0}, mode=ints([0]), **level))
        steps.append([each.steps.tolist() for each in of_type(given, OrdersRequested)])
    assert steps == [[[-10]], []], "1 % of 100,000 over a tenth of 100,000 euros; without a stop of its own nothing"


def test_no_least_quantity_is_more_than_the_most_that_is_allowed(desk: Desk) -> None:
    desk.configure("trend", InstrumentTerms(**{**EURUSD_FIELDS, "lot_min_steps": 5}), below_min="round-up")
    desk.subscribe("trend", 1, lots_max_e9=40_000_000)
    assert skip(desk.target("trend", 1, EURUSD=0.03))[0] == SkipReason.BELOW_MIN
    desk.subscribe("trend", 1, lots_max_e9=50_000_000)
    assert only(desk.target("trend", 2, EURUSD=0.03), OrdersRequested).steps.tolist() == [5]


def test_a_skip_names_the_level_that_gave_the_setting() -> None:
    desk = Desk()
    desk.open(1, 2, 3)
    desk.configure("trend", InstrumentTerms(**{**EURUSD_FIELDS, "lot_min_steps": 5}), close_only=False)
    desk.subscribe("trend", 1)
    desk.subscribe("trend", 2, below_min="round-up")
    desk.subscribe("trend", 3, close_only=True)
    events = desk.target("trend", 1, EURUSD=0.03)
    assert only(events, OrdersRequested).steps.tolist() == [5]
    skipped = only(events, TargetsSkipped)
    assert skipped.account.tolist() == [1, 3]
    assert skipped.reason.tolist() == [SkipReason.BELOW_MIN, SkipReason.BELOW_MIN]
    skipped = only(desk.target("trend", 2, EURUSD=0.12), TargetsSkipped)
    assert (skipped.account.tolist(), skipped.reason.tolist()) == ([3], [SkipReason.CLOSE_ONLY])
    assert skipped.level.tolist() == [SettingLevel.SUBSCRIPTION]


def test_an_instrument_that_is_not_allowed_may_only_be_closed() -> None:
    desk = Desk()
    desk.open(1)
    desk.configure("trend")
    desk.subscribe("trend", 1)
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    desk.subscribe("trend", 1, instruments=[GOLD.id])
    events = desk.target("trend", 2, EURUSD=0.20)
    assert skip(events) == (SkipReason.NOT_ALLOWED, SettingLevel.SUBSCRIPTION)
    assert only(desk.target("trend", 3, EURUSD=0.04), OrdersRequested).steps.tolist() == [-6]


def test_who_may_only_close_closes_all_where_the_set_turns_round(desk: Desk) -> None:
    desk.trade(desk.target("trend", 1, EURUSD=0.10))
    desk.subscribe("trend", 1, close_only=True)
    assert only(desk.target("trend", 2, EURUSD=-0.05), OrdersRequested).steps.tolist() == [-10]


def test_a_mapped_symbol_is_traded_in_place_of_the_sets_own() -> None:
    mini = InstrumentTerms(**{**EURUSD_FIELDS, "id": "SIM:EURUSD.mini", "contract_e9": 10_000 * 10**9})
    desk = Desk()
    desk.open(1)
    desk.configure("trend", EURUSD, sizing="weights")
    desk.configure("minis", mini)
    desk.subscribe("trend", 1, symbols={EURUSD.id: mini.id})
    request = only(desk.feed(target("trend", 1, {EURUSD.id: 1.0}, mode=ints([0]))), OrdersRequested)
    assert ([each.id for each in request.terms], request.steps.tolist()) == ([mini.id], [89])
    assert (request.bid_ticks.tolist(), request.ask_ticks.tolist()) == ([BID], [ASK])


def test_an_instrument_that_is_mapped_to_another_is_traded_no_more() -> None:
    minis = [InstrumentTerms(**{**EURUSD_FIELDS, "id": f"SIM:EURUSD.{name}"}) for name in ("one", "two")]
    desk = Desk()
    desk.open(1)
    desk.configure("trend", EURUSD, GOLD)
    desk.subscribe("trend", 1)
    desk.trade(desk.target("trend", 1, EURUSD=0.10, GOLD=3))
    traded = EURUSD.id

    def rows(request: OrdersRequested) -> list[tuple[str, int, int]]:
        index = request.instrument if request.instrument.size else ints([0] * request.steps.size)
        names = [request.terms[each].id for each in index]
        return list(zip(names, request.steps.tolist(), request.decision.tolist(), strict=True))

    for version, terms in enumerate((*minis, EURUSD), 2):
        symbols = {} if terms is EURUSD else {EURUSD.id: terms.id}
        request = only(desk.subscribe("trend", 1, symbols=symbols, symbol_terms=[terms]), OrdersRequested)
        assert [each[:2] for each in rows(request)] == [(traded, -10)]
        desk.refuse(request)
        request = only(desk.target("trend", version, EURUSD=0.10), OrdersRequested)
        assert [each[:2] for each in rows(request)] == [(traded, -10), (terms.id, 10)]
        desk.approve(request)
        for name, steps, decision in rows(request):
            desk.report((ReportKind.FILLED, 1, name, decision, steps, ASK * 10_000))
        traded = terms.id
        assert (desk.held(1, "trend", traded), desk.held(1, "trend", GOLD.id)) == (10, 3)


def test_what_is_mapped_to_something_that_is_traded_already_is_refused(desk: Desk) -> None:
    desk.configure("trend", EURUSD, GOLD)
    problem = only(desk.subscribe("trend", 1, symbols={EURUSD.id: GOLD.id}), CommandRefused).reason
    assert problem == f"symbols: {GOLD.id} would be traded in place of two instruments of trend"


def test_what_a_set_trades_anew_is_traded_by_who_follows_it_already() -> None:
    desk = Desk()
    desk.open(1)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    assert not of_type(desk.target("trend", 1, GOLD=10), OrdersRequested)
    assert desk.configure("trend", EURUSD) == []
    desk.configure("trend", EURUSD, GOLD)
    assert only(desk.target("trend", 2, GOLD=10), OrdersRequested).steps.tolist() == [10]


def test_what_nobody_can_convert_is_skipped() -> None:
    desk = Desk()
    desk.open(1, currency="EUR")
    desk.configure("trend", GOLD)
    desk.subscribe("trend", 1)
    assert skip(desk.target("trend", 1, GOLD=10)) == (SkipReason.NO_CONVERSION, SettingLevel.ACCOUNT)


def test_allocations_add_up_to_the_equity_unless_leveraged() -> None:
    desk = Desk()
    desk.open(1, leverage_e9=10**9)
    desk.configure("a")
    desk.configure("b")
    desk.subscribe("a", 1, allocation_e9=600_000_000)
    refused = only(desk.feed(Subscribe(account=1, set="b", allocation_e9=500_000_000)), CommandRefused)
    assert "110 %" in refused.reason
