"""Read models against the books of execution itself, however the logs are cut into pieces and interleaved."""

import json
import random
from collections import defaultdict
from datetime import date, timedelta

import numpy as np
import pytest
from django.core.management import call_command
from django.db import connections
from msgspec.structs import replace

from apps.execution.book_contracts import ConfigureAccount, LotsBooked
from apps.execution.contracts import (
    CashKind,
    Flatten,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
    PlaceManualOrder,
    ReportKind,
    Resume,
)
from apps.feeds.contracts import FeedStale
from apps.reporting import following, interface
from apps.reporting.following import Follower
from apps.reporting.interface import Scope
from apps.reporting.projecting import TABLES, Projector, rebuild
from apps.reporting.sources import LogError
from apps.risk.contracts import RefusalReason, TradingState, TradingStateChanged
from apps.signals.contracts import Quoted
from banyan.columns import ints
from tests.integration.reporting.conftest import read_all, tables
from tests.integration.reporting.recorded import HOUR_NS, SHARD
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, of_type, target
from tests.unit.execution.test_cash import cash

pytestmark = pytest.mark.django_db(databases=["reporting"], transaction=True)
EVERYTHING = Scope()


def trade_at_random(desk, seed, rounds=25):
    """Trade two sets and a person's orders on four accounts, with all that can become of orders."""
    chance = random.Random(seed)
    desk.open(1, 2, time_zone="Asia/Tokyo", client="one")
    desk.open(3, 4, client="two")
    for name in ("trend", "revert"):
        desk.configure(name, EURUSD, GOLD)
        desk.subscribe(name, 1, 2, 3, 4)
    for version in range(1, rounds):
        desk.now_ns += chance.randrange(1, 9) * HOUR_NS
        desk.close_bar(EURUSD, *[tick + chance.randrange(-50, 50) for tick in (112_300, 112_400)])
        desk.close_bar(GOLD, *[tick + chance.randrange(-50, 50) for tick in (119_900, 120_000)])
        match chance.randrange(7) if version > 2 else 6:
            case 2:
                given = desk.feed(Flatten(accounts=ints([1, 2])))
                given += desk.feed(Resume(accounts=ints([1, 2])))
            case 0:
                order = PlaceManualOrder(
                    account=chance.randrange(1, 5), terms=EURUSD, steps=chance.choice([-3, 2, 5]),
                    bid_ticks=QUOTES[EURUSD.id][0], ask_ticks=QUOTES[EURUSD.id][1],
                )  # fmt: skip
                given = desk.feed(order)
            case 1:
                given = desk.reconcile(3, EURUSD={3: chance.randrange(-4, 5)})
            case _:
                wanted = {"EURUSD": chance.randrange(-8, 9) / 100, "GOLD": chance.randrange(-2, 3)}
                given = desk.target(chance.choice(["trend", "revert"]), version, **wanted)
        work_off(desk, chance, given)
    desk.close_bar()


def work_off(desk, chance, given):
    for request in of_type(given, OrdersRequested):
        if chance.randrange(6) == 0:
            work_off(desk, chance, desk.refuse(request, RefusalReason.MAX_ORDER))
            continue
        for released in of_type(desk.approve(request), OrdersReleased):
            work_off(desk, chance, fill_some(desk, chance, released))


def fill_some(desk, chance, released):
    """Let each order be accepted, filled in parts, cancelled, rejected, refused, or lost and found again."""
    given = []
    instrument = released.instrument if released.instrument.size else np.zeros(released.account.size, int)
    for at in range(released.account.size):
        terms = released.terms[instrument[at]]
        order = int(released.account[at]), terms.id, int(released.decision[at])
        steps = int(released.steps[at])
        price = (QUOTES[terms.id][steps > 0] + chance.randrange(-3, 4)) * terms.tick_e9
        part = chance.randrange(1, abs(steps) + 1) * (1 if steps > 0 else -1)
        if chance.randrange(3) == 0:
            given += desk.report((ReportKind.UNKNOWN, *order, steps))
        match chance.randrange(5):
            case 0:
                given += desk.report((ReportKind.REFUSED, *order))
            case 1:
                given += desk.report((ReportKind.ACCEPTED, *order), (ReportKind.FILLED, *order, part, price, 7))
                given += desk.report((ReportKind.CANCELLED, *order))
                if part != steps:
                    given += desk.report((ReportKind.FILLED, *order, steps - part, price, 3))
            case _:
                given += desk.report((ReportKind.ACCEPTED, *order))
                given += desk.report((ReportKind.FILLED, *order, part, price, 11))
                if part != steps:
                    given += desk.report((ReportKind.FILLED, *order, steps - part, price, 13))
    return given


def books_of(desk):
    """What execution's own books hold: (steps, cost, cash, fees) by account, instrument and book."""
    state, found = desk.state, {}
    for line in state.lines.rows:
        key = (
            f"A{state.accounts.rows[line.account].number}",
            state.instruments.names[line.instrument],
            state.books.names[line.book],
        )
        numbers = int(line.held), int(line.cost_micro), int(line.cash_micro), int(line.fees_micro)
        if any(numbers):
            found[key] = numbers
    return found


def check_against_execution(desk):
    with connections["reporting"].cursor() as cursor:
        cursor.execute(
            "SELECT a.id, p.instrument, p.book, p.steps, p.cost_micro, p.realised_micro, p.fee_micro "
            "FROM reporting_position AS p JOIN reporting_account AS a ON a.number = p.account"
        )
        held = {row[:3]: (row[3], row[4], row[5] - row[4] - row[6], row[6]) for row in cursor.fetchall()}
        assert {key: numbers for key, numbers in held.items() if any(numbers)} == books_of(desk)
        cursor.execute("SELECT account, instrument, sum(steps) FROM reporting_fill GROUP BY 1, 2")
        filled = {(account, name): int(steps) for account, name, steps in cursor.fetchall()}
        positions = defaultdict(int)
        for (account, name, _), (steps, *_) in held.items():
            positions[int(account[1:]), name] += steps
        assert filled == positions
        cursor.execute(
            "SELECT a.number, a.balance_micro - "
            "(SELECT COALESCE(sum(cost_micro), 0) FROM reporting_position AS p WHERE p.account = a.number), "
            "a.deposit_micro + COALESCE(sum(f.amount_micro - f.fee_micro), 0) "
            "FROM reporting_account AS a LEFT JOIN reporting_fill AS f ON f.account = a.number GROUP BY a.number"
        )
        for number, cash, summed in cursor.fetchall():
            assert desk.balance(number) == summed
            assert cash == summed, f"account {number}: the last valuation and the fills differ"


@pytest.mark.parametrize("seed", range(6))
def test_fills_positions_and_cash_are_those_of_the_books_of_execution(desk, follower, seed):
    trade_at_random(desk, seed)
    read_all(follower)
    check_against_execution(desk)
    assert of_type(desk.events, LotsBooked)
    assert of_type(desk.events, OrdersUnknown)
    assert any(fill.split_fill.size for fill in of_type(desk.events, OrdersFilled)), "no fill was shared by books"


@pytest.mark.parametrize("seed", [0, 1, 2, 4])
def test_a_rebuild_gives_what_reading_piece_by_piece_in_any_order_gave(desk, monkeypatch, seed):
    trade_at_random(desk, seed, rounds=16)
    desk.subscribe("trend", 9)  # there is no such account
    desk.feed(cash((1, "", CashKind.PAYMENT, 10**9), (2, EURUSD.id, CashKind.SWAP, -(10**6))))
    desk.feed(TradingStateChanged(state=TradingState.REDUCING, reason="looked odd"))
    silence = FeedStale(feed="SIM", last_tick_ns=desk.now_ns, is_stale=True)
    desk.feeds.append("SIM", desk.now_ns, silence, [silence])
    chance = random.Random(seed)
    monkeypatch.setattr(following, "RECORDS_MAX", 3)
    followers = [Follower([log], Projector()) for log in desk.logs]
    while any(
        follower.step() for follower in chance.sample(followers, len(followers)) for _ in range(chance.randrange(1, 5))
    ):
        pass
    for follower in followers:
        follower.close()
    piecewise = tables()
    assert all(piecewise[name] for name in TABLES if name != "skip")
    monkeypatch.undo()
    assert rebuild(desk.logs, lambda _: None) == sum(len(steps) for log in desk.logs for steps in log.kept.values())
    assert tables() == piecewise


@pytest.mark.parametrize("most", [1, 700, 5_000])
def test_pieces_of_any_size_come_to_the_same(desk, follower, monkeypatch, most):
    trade_at_random(desk, 9, rounds=8)
    monkeypatch.setattr(following, "BYTES_MAX", most)
    read_all(follower)
    piecewise = tables()
    check_against_execution(desk)
    monkeypatch.undo()
    rebuild(desk.logs, lambda _: None)
    assert tables() == piecewise


def test_what_fails_in_the_middle_is_read_again_and_counted_once(desk, follower, monkeypatch):
    trade_at_random(desk, 7, rounds=8)
    monkeypatch.setattr("apps.reporting.writing.write_arrays", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        follower.step()
    monkeypatch.undo()
    follower.forget()
    read_all(follower)
    check_against_execution(desk)


def test_two_readers_of_the_same_logs_count_everything_once(desk, follower):
    other = Follower(desk.logs, Projector())
    trade_at_random(desk, 8, rounds=6)
    follower.step()
    trade_more(desk)
    other.step()
    trade_more(desk, version=101)
    while follower.step() or other.step():
        pass
    other.close()
    check_against_execution(desk)


def trade_more(desk, version=100):
    desk.trade(desk.target("trend", version, EURUSD=version / 1000))


def test_a_log_that_was_put_back_is_not_read_on(desk, follower):
    desk.open(1)
    read_all(follower)
    kept = desk.execution.kept[SHARD]
    last = kept.pop()
    assert not follower.step()
    assert "was put back" in follower.damaged["execution", SHARD]
    follower.damaged.clear()
    kept.append(last._replace(received_at_ns=1))
    desk.open(2)
    assert not follower.step()
    assert "is another than was read" in follower.damaged["execution", SHARD]


def test_a_log_without_its_beginning_is_not_rebuilt_from(desk, follower):
    desk.open(1)
    read_all(follower)
    before = tables()
    desk.execution.kept[SHARD].pop(0)
    with pytest.raises(LogError, match="begins at record 2"):
        rebuild(desk.logs, lambda _: None)
    assert tables() == before


def two_clients(desk):
    desk.open(1, client="one")
    desk.open(2, client="two")
    desk.configure("trend", EURUSD, GOLD)
    desk.subscribe("trend", 1, 2)
    desk.close_bar()


@pytest.mark.parametrize("scope", [Scope(client="one"), Scope(account="A1")])
def test_who_asks_for_a_client_or_an_account_sees_nothing_of_another(desk, follower, scope):
    two_clients(desk)
    desk.trade(desk.target("trend", 1, EURUSD=0.1))
    desk.refuse(desk.requested(desk.target("trend", 2, EURUSD=0.2)))
    desk.target("trend", 3, EURUSD=0.1)
    read_all(follower)
    for ask in (
        interface.accounts, interface.orders, interface.fills, interface.positions, interface.refusals, interface.skips
    ):  # fmt: skip
        both = {row.account for row in ask(EVERYTHING, 100)}
        assert both == {"A1", "A2"}, ask
        assert {row.account for row in ask(scope, 100)} == {"A1"}, ask
    for by in ("account", "day"):
        assert [row.group[0] for row in interface.pnl(scope, ["account", by], 100)] == ["A1"]
    assert interface.latencies(scope)[0].orders * 2 == interface.latencies(EVERYTHING)[0].orders
    assert interface.slippage(scope)[0].orders * 2 == interface.slippage(EVERYTHING)[0].orders
    with pytest.raises(interface.ScopeError, match="there is no client three"):
        interface.check(Scope(client="three"))


def test_signals_are_shown_to_clients_whose_accounts_had_orders_of_their_set(desk, follower):
    two_clients(desk)
    desk.configure("own", EURUSD)
    desk.subscribe("own", 2)
    desk.trade(desk.target("own", 1, EURUSD=0.1))
    read_all(follower)
    assert [row.set for row in interface.signals(Scope(client="two"), 10)] == ["own"]
    assert interface.signals(Scope(client="one"), 10) == []


def test_an_order_tells_its_life(desk, follower):
    two_clients(desk)
    request = desk.requested(desk.target("trend", 1, EURUSD=0.1))
    desk.approve(request)
    desk.now_ns += 1_000
    desk.report((ReportKind.ACCEPTED, 1, EURUSD.id, 1))
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 4, 112_345 * 10_000, 100))
    desk.report((ReportKind.FILLED, 1, EURUSD.id, 1, 6, 112_350 * 10_000, 100))
    desk.report((ReportKind.UNKNOWN, 2, EURUSD.id, 1, 10))
    read_all(follower)
    mine, other = sorted(interface.orders(EVERYTHING, 10))
    assert (mine.state, mine.lots, mine.filled, mine.fee) == ("Filled", 0.1, 0.1, 0.0002)
    assert mine.price == pytest.approx((4 * 1.12345 + 6 * 1.12350) / 10, abs=1e-12)
    assert other.state == "Unknown"
    told = interface.timeline(mine, interface.fills_of(mine))
    assert [each.at_ns for each in told] == sorted(each.at_ns for each in told)
    words = [each.what.partition(" ")[0] for each in told]
    assert words == ["trend", "requested", "approved", "sent", "acknowledged", "filled", "filled"]


def test_an_order_and_a_skip_tell_the_settings_that_held_then_and_who_gave_them(desk, follower, capsys):
    desk.open(1, 2)
    desk.configure("trend", EURUSD, multiplier_e9=2 * 10**9)
    desk.subscribe("trend", 1, sizing="vol", sizing_number_e9=15 * 10**9)
    desk.subscribe("trend", 2, close_only=True)
    desk.trade(desk.target("trend", 1, EURUSD=0.1))
    desk.feed(ConfigureAccount(account=1, multiplier_e9=500_000_000))
    desk.configure("trend", EURUSD, multiplier_e9=3 * 10**9)
    desk.target("trend", 2, EURUSD=0.2)
    read_all(follower)
    new, old = ({each.name: each for each in interface.settings_of(row)} for row in interface.orders(EVERYTHING, 10))
    assert (old["multiplier"].value, old["multiplier"].level) == ("2", "set")
    assert (new["multiplier"].value, new["multiplier"].level) == ("0.5", "account")
    assert (old["sizing"].value, old["sizing"].level) == ("vol:15", "subscription")
    assert (old["close_only"].value, old["instruments"].value, old["instruments"].level) == ("no", "all", "")
    skip = interface.skips(EVERYTHING, 10)[0]
    told = {each.name: each for each in interface.settings_of(skip)}
    assert (told["close_only"].value, told["close_only"].level) == ("yes", "subscription")
    call_command("report", "orders", account="A1", why=True, lines=1)
    assert "multiplier   0.5              account" in capsys.readouterr().out
    call_command("report", "skips", account="A2", why=True, json=True)
    assert json.loads(capsys.readouterr().out)[0]["settings"]["close_only"] == {"value": "yes", "level": "subscription"}


def test_positions_and_profit_in_another_currency_are_converted_at_the_rate_of_their_day(desk, follower):
    desk.open(1, currency="EUR")
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    desk.close_bar(EURUSD)
    desk.trade(desk.target("trend", 1, EURUSD=0.1))
    paid = -(desk.balance(1) - 10_000 * 10**6)
    for bid in (112_000, 110_000):
        desk.now_ns += 24 * HOUR_NS
        desk.close_bar(EURUSD, bid, bid)
    read_all(follower)
    (position,) = interface.positions(EVERYTHING, 10)
    assert (position.value, position.close) == (10_000.0, 1.1)  # 10,000 EUR are that at any rate
    assert position.unrealised == pytest.approx((10_000 * 10**6 - paid) / 1e6)
    days = interface.pnl(EVERYTHING, ["day"], 10)
    assert sum(each.unrealised for each in days) == pytest.approx(position.unrealised)


def test_open_profit_is_converted_over_the_accounts_currency_between(desk, follower):
    chf = replace(EURUSD, id="SIM:EURCHF", currency="CHF")
    desk.open(1, currency="CHF", via="EUR")
    desk.open(2, currency="CHF")
    desk.configure("trend", EURUSD, conversions=[chf])
    desk.subscribe("trend", 1, 2)
    desk.close_bar(EURUSD)
    desk.close_bar(chf, 93_000, 93_002)
    marks = [Quoted(instrument=chf.id, bid_ticks=93_000, ask_ticks=93_002)]
    desk.trade(desk.feed(target("trend", 1, {EURUSD.id: 0.1}, marks=marks)))
    paid = -(desk.balance(1) - 10_000 * 10**6)
    desk.now_ns += 24 * HOUR_NS
    desk.close_bar(EURUSD, 110_000, 110_000)
    desk.close_bar(chf, 95_000, 95_000)
    read_all(follower)
    (position,) = interface.positions(EVERYTHING, 10)
    assert (position.account, position.value) == ("A1", 9_500.0)  # 10,000 EUR, by EURCHF alone
    assert position.unrealised == pytest.approx((9_500 * 10**6 - paid) / 1e6)
    days = interface.pnl(Scope(account="A1"), ["day"], 10)
    assert sum(each.unrealised for each in days) == pytest.approx(position.unrealised)
    (of_set,) = interface.by_set()
    assert (of_set.currency, of_set.accounts, of_set.net) == ("CHF", 1, 9_500.0)
    account = interface.account(Scope(account="A1"))
    assert interface.equity_curve(account, 0)[-1].equity == pytest.approx((desk.balance(1) + 9_500 * 10**6) / 1e6)


def test_a_forgotten_order_that_came_to_nothing_is_told_as_one_of_no_lots(desk, follower):
    desk.open(1)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    desk.report((ReportKind.REJECTED, 1, EURUSD.id, 7))
    read_all(follower)
    (order,) = interface.orders(EVERYTHING, 10)
    assert (order.set, order.decision, order.lots, order.state) == ("external", 7, 0.0, "Rejected")


def test_what_is_paid_in_is_no_profit_and_swap_and_dividends_are_their_own(desk, follower):
    desk.open(1, deposit=10_000)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    desk.trade(desk.target("trend", 1, EURUSD=0.05))
    desk.close_bar(EURUSD)
    desk.feed(cash((1, "", CashKind.PAYMENT, 2_500 * 10**6), (1, EURUSD.id, CashKind.SWAP, -1_250_000)))
    desk.now_ns += 24 * HOUR_NS
    desk.feed(cash((1, EURUSD.id, CashKind.DIVIDEND, 3 * 10**6), ids=("c9",)))
    desk.close_bar(EURUSD)
    read_all(follower)
    (account,) = interface.accounts(EVERYTHING, 10)
    (row,) = interface.pnl(EVERYTHING, ["account"], 10)
    assert (account.deposit, row.swap, row.dividends) == (12_500.0, -1.25, 3.0)
    assert row.total == pytest.approx(account.equity - account.deposit, abs=1e-6)
    (by_set,) = interface.pnl(Scope(set="trend"), ["set", "instrument"], 10)
    assert (by_set.swap, by_set.dividends, by_set.total) == (row.swap, row.dividends, row.total)


def test_a_refused_order_tells_the_limit_that_refused_it(desk, follower):
    two_clients(desk)
    desk.refuse(desk.requested(desk.target("trend", 1, EURUSD=0.1)), RefusalReason.MAX_ORDER)
    read_all(follower)
    order = interface.orders(Scope(account="A1"), 10)[0]
    assert (order.state, order.why) == ("Denied", "risk: max order")
    assert interface.timeline(order, interface.fills_of(order))[-1].what.startswith(
        "Denied: risk: max order (4 against 4, set at level"
    )
    refusal = interface.refusals(Scope(account="A1"), 10)[0]
    assert (refusal.by, refusal.reason, refusal.set, refusal.decision) == ("risk", "max order", "trend", 1)


def test_slippage_is_told_against_the_quotes_at_decision_and_at_arrival(desk, follower):
    desk.open(1)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    request = desk.requested(desk.target("trend", 1, EURUSD=0.1))
    desk.close_bar(EURUSD, 112_360, 112_362)  # the market has moved 20 ticks before the order is sent
    (released,) = of_type(desk.approve(request), OrdersReleased)
    desk.now_ns += 1_000
    desk.close_bar(EURUSD, 120_000, 120_000)
    desk.fill(released, {EURUSD.id: 112_371})
    read_all(follower)
    (row,) = interface.slippage(EVERYTHING)
    size = 0.1 * 100_000
    assert row.decision_cost == pytest.approx((112_371 - 112_341) * 1e-5 * size, abs=1e-9)
    assert row.arrival_cost == pytest.approx((112_371 - 112_361) * 1e-5 * size, abs=1e-9)
    assert row.decision_bps == pytest.approx(30 / 112_341 * 1e4, rel=1e-9)
    assert (row.set, row.broker, row.arrivals) == ("trend", "paper", 1)


def test_profit_of_the_days_adds_up_to_the_profit_there_is(desk, follower):
    trade_at_random(desk, 3)
    read_all(follower)
    by_day = interface.pnl(EVERYTHING, ["account", "day"], 10_000)
    for row in interface.pnl(EVERYTHING, ["account"], 100):
        days = [each for each in by_day if each.group[0] == row.group[0]]
        assert len(days) > 3
        for name in ("realised", "unrealised", "fees", "total"):
            known = [getattr(each, name) for each in days]
            assert sum(known) == pytest.approx(getattr(row, name), abs=1e-6), name
        assert any(each.unrealised for each in days)


def test_profit_of_the_days_of_all_accounts_is_the_sum_of_that_of_each(desk, follower):
    trade_at_random(desk, 3)
    read_all(follower)
    names = ("fills", "realised", "unrealised", "swap", "fees")
    for scope in (EVERYTHING, Scope(client="one"), Scope(day=date(2026, 3, 4)), Scope(instrument=GOLD.id)):
        for by in (["day"], ["instrument", "day"], ["set", "day"]):
            wanted = defaultdict(lambda: [0] * len(names))
            for row in interface.pnl(scope, ["account", *by], 100_000):
                sums = wanted[row.group[1:], row.currency]
                for at, name in enumerate(names):
                    sums[at] += round(getattr(row, name) * 10**6)
            found = {
                (row.group, row.currency): [round(getattr(row, name) * 10**6) for name in names]
                for row in interface.pnl(scope, by, 100_000)
            }
            assert found == wanted, (scope, by)
            assert sum(map(any, found.values())) > (0 if scope.day else 3)


def test_the_day_of_a_fill_is_that_of_its_account_s_zone(desk, follower):
    desk.open(1, time_zone="Asia/Tokyo")
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    desk.now_ns += 16 * HOUR_NS  # 01:00 of the next day in Tokyo
    desk.trade(desk.target("trend", 1, EURUSD=0.1))
    read_all(follower)
    with connections["reporting"].cursor() as cursor:
        cursor.execute("SELECT day FROM reporting_day")
        assert cursor.fetchone() == (date(2026, 3, 3),)
    assert len(interface.orders(Scope(day=date(2026, 3, 3)), 10)) == 1
    assert interface.orders(Scope(day=date(2026, 3, 3) - timedelta(days=1)), 10) == []
