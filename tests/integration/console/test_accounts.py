"""Accounts: how they are found, their equity over time, what holds for them, and what can be done to one."""

import json
import time

import pytest
from django.urls import reverse

from apps.console.models import Act
from apps.execution.book_contracts import ConfigureAccount
from apps.execution.contracts import Flatten
from apps.execution.models import Account as Entry
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.reporting.models import Account
from apps.risk.contracts import SetTradingState, TradingState
from banyan.codec import decode_envelope, decode_message
from banyan.columns import ints
from banyan.models import Request
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import change, queries, read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random
from tests.unit.execution.desk import EURUSD

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)


@pytest.fixture
def desk():
    made = RecordedDesk()
    made.now_ns = time.time_ns() - 60 * HOUR_NS
    return made


@pytest.fixture
def operator(client, people):
    client.force_login(people["administrator"])
    return client


def make_accounts(*names):
    Account.objects.bulk_create(
        Account(number=number, id=name, client=client, broker="paper", currency="USD", time_zone="UTC",
                deposit_micro=0, opened_at_ns=0)
        for number, (name, client) in enumerate(names, 1)
    )  # fmt: skip


def found(text, **more):
    return [each.account for each in reporting.find_accounts(Scope(**more), text, None, 100)]


def test_what_begins_with_the_text_comes_first_and_then_what_has_it():
    make_accounts(("ZACME", "z"), ("B-1", "acme"), ("ACME-2", "x"), ("OTHER", "y"))
    assert found("acme") == ["ACME-2", "B-1", "ZACME"]
    assert found("nothing") == []
    assert found("") == ["ACME-2", "B-1", "OTHER", "ZACME"]
    assert found("acme", client="z") == ["ZACME"]


@pytest.mark.parametrize("text", ["%", "_", "\\", "A%2"])
def test_signs_that_mean_something_to_the_database_mean_themselves(text):
    make_accounts(("A-2", "x"), ("A%2", "x"), ("B_1", "x"), ("C\\1", "x"))
    assert all(text in name for name in found(text))
    assert len(found(text)) == 1


def test_pages_of_accounts_have_each_once():
    make_accounts(*((f"A{number:03}", "c") for number in range(120)), ("XA1", "c"))
    seen, after = [], None
    while True:
        page = reporting.find_accounts(Scope(), "a", after, 50)
        seen += [each.account for each in page]
        if len(page) < 50:
            break
        after = page[-1].rank, page[-1].account
    assert seen == [*(f"A{number:03}" for number in range(120)), "XA1"]


def test_equity_over_time_is_cash_and_what_is_held_at_each_close(desk):
    desk.open(1)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    bids = [112_200, 112_500, 112_900, 112_100, 112_600]
    for version, (lots, bid) in enumerate(zip([0.05, 0.08, 0.0, -0.04, -0.04], bids, strict=True), 1):
        desk.now_ns += HOUR_NS
        desk.trade(desk.target("trend", version, EURUSD=lots))
        desk.now_ns += HOUR_NS
        desk.close_bar(EURUSD, bid, bid + 10)
    read(desk)
    of = reporting.account(Scope(account="A1"))
    curve = reporting.equity_curve(of, time.time_ns() - 90 * HOUR_NS)
    assert [each.at_ns for each in curve] == sorted(each.at_ns for each in curve)
    (earned,) = reporting.pnl(Scope(account="A1"), (), 10)
    deposit = reporting.accounts(Scope(account="A1"), 1)[0].deposit
    assert curve[-1].equity == pytest.approx(deposit + earned.total, abs=1e-4)
    assert len({round(each.equity, 4) for each in curve}) > 3


def test_settings_are_those_of_the_last_word_at_each_level(desk):
    desk.open(1)
    for name in ("trend", "revert"):
        desk.configure(name, EURUSD)
        desk.subscribe(name, 1)
    desk.feed(ConfigureAccount(account=1, close_only=True))
    desk.subscribe("trend", 1, multiplier_e9=2 * 10**9)
    read(desk)
    told = {each.set: {one.name: (one.value, one.level) for one in each.settings} for each in
            reporting.settings_now(reporting.account(Scope(account="A1")))}  # fmt: skip
    assert set(told) == {"trend", "revert"}
    assert told["trend"]["multiplier"] == ("2", "subscription")
    assert told["trend"]["close_only"] == told["revert"]["close_only"] == ("yes", "account")


def test_skips_of_an_account_are_those_of_the_report(desk):
    trade_at_random(desk, 21, rounds=14)
    read(desk)
    for name in ("A1", "A3"):
        mine = reporting.skips_of(reporting.account(Scope(account=name)), 1, 10_000)
        assert sorted(mine) == sorted(reporting.skips(Scope(account=name), 10_000))


def test_only_what_concerns_an_account_holds_it(desk):
    desk.open(1, 2)
    change(desk, state=1, set="trend", reason="odd")
    change(desk, state=2, set="revert", reason="odd too")
    change(desk, state=2, accounts=ints([1]), reason="its client asked")
    read(desk)
    one, two = (reporting.account(Scope(account=name)) for name in ("A1", "A2"))
    assert [(each.level, each.state) for each in reporting.holds_of(one, [], ["trend"])] == [
        ("set", "reducing"), ("account", "halted"),
    ]  # fmt: skip
    assert reporting.holds_of(two, [], []) == []


def test_pages_cost_the_same_queries_however_much_there_is(desk, operator, kill_switch):
    trade_at_random(desk, 22, rounds=8)
    read(desk)
    paths = [reverse("accounts"), reverse("account", args=["A1"]), reverse("equity", args=["A1"]) + "?range=90d"]
    before = [queries(operator, path) for path in paths]
    desk.now_ns += HOUR_NS
    trade_at_random(desk, 23, rounds=12)
    read(desk)
    assert [queries(operator, path) for path in paths] == before
    assert max(before) <= 24


def test_the_curve_is_given_as_numbers(desk, operator):
    trade_at_random(desk, 24, rounds=8)
    read(desk)
    points = json.loads(operator.get(reverse("equity", args=["A1"]), {"range": "90d"}).content)
    assert points
    assert all(len(point) == 2 for point in points)
    assert len({time_s for time_s, _ in points}) == len(points)


def test_no_such_account_is_not_found(operator):
    assert operator.get(reverse("account", args=["NOBODY"])).status_code == 404
    assert operator.get(reverse("equity", args=["NOBODY"])).status_code == 404


def asked(context):
    return [
        decode_message(decode_envelope(bytes(each.header)).name, bytes(each.body))
        for each in Request.objects.using(context)
    ]


def test_an_account_is_halted_and_flattened_alone_and_for_a_reason(operator):
    Entry.objects.create(id="A1", number=1, shard="0", client="c", broker="paper", currency="USD")
    operator.post(reverse("act", args=["account.halt"]), {"account": "A1", "why": "its client asked"})
    (halt,) = asked("risk")
    assert (type(halt), halt.state, halt.accounts.tolist()) == (SetTradingState, TradingState.HALTED, [1])
    assert halt.reason == "administrator: its client asked"
    refused = operator.post(reverse("act", args=["account.flatten"]), {"account": "A1", "why": "x", "word": "A1"})
    assert refused.status_code == 422
    assert asked("execution") == []
    operator.post(reverse("act", args=["account.flatten"]), {"account": "A1", "why": "x", "word": "FLATTEN"})
    (flat,) = asked("execution")
    assert (type(flat), flat.accounts.tolist()) == (Flatten, [1])
    assert [(act.name, act.subject) for act in Act.objects.all()] == [("account.flatten", "A1"), ("account.halt", "A1")]


def test_an_act_on_nobody_is_told_and_not_done(operator):
    operator.post(reverse("act", args=["account.halt"]), {"account": "NOBODY", "why": "x"})
    act = Act.objects.select_related("outcome").get()
    assert not act.outcome.is_done
    assert "there is no account NOBODY" in act.outcome.text


def test_what_an_act_would_do_is_counted_first(desk, operator):
    desk.open(1)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    desk.trade(desk.target("trend", 1, EURUSD=0.05))
    desk.close_bar()
    read(desk)
    page = operator.get(reverse("act", args=["account.flatten"]), {"account": "A1"}).content.decode()
    assert "It holds 1 position, worth" in page
