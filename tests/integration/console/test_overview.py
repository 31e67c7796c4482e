"""The overview's figures against the read models they come from, and what it costs."""

import time

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from apps.console.needs import _Progress
from apps.console.overview import overview
from apps.reporting import interface as reporting
from apps.reporting.following import Follower
from apps.reporting.interface import Scope
from apps.reporting.projecting import Projector
from apps.risk.contracts import TradingStateChanged
from banyan.columns import ints
from tests.integration.console.conftest import ALL
from tests.integration.reporting.conftest import read_all
from tests.integration.reporting.recorded import SHARD, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random
from tests.unit.execution.desk import EURUSD

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)
MINUTE_NS = 60 * 10**9


@pytest.fixture
def desk():
    """A desk whose day is today."""
    made = RecordedDesk()
    made.now_ns = time.time_ns() - 30 * MINUTE_NS
    return made


def read(desk):
    follower = Follower(desk.logs, Projector())
    read_all(follower)
    follower.close()


def test_profit_by_set_is_that_of_all_accounts_together(desk):
    trade_at_random(desk, 3, rounds=12)
    read(desk)
    found = {(each.set, each.currency): each for each in reporting.by_set()}
    assert found
    for row in reporting.pnl(Scope(), ("set",), 100):
        mine = found[row.group[0], row.currency]
        assert mine.open == pytest.approx(row.unrealised, abs=1e-4)
    positions = reporting.positions(Scope(), 1000)
    for (name, currency), row in found.items():
        values = [each.value or 0.0 for each in positions if (each.set, each.currency) == (name, currency)]
        assert row.net == pytest.approx(sum(values), abs=1e-4)
        assert row.gross == pytest.approx(sum(map(abs, values)), abs=1e-4)


def test_profit_of_today_is_what_the_report_by_day_says(desk):
    now_ns = time.time_ns()
    desk.open(1, 2)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1, 2)
    for version, (ago_s, lots, bid) in enumerate(
        [
            (172_800, 0.05, 112_200),
            (86_400, 0.08, 112_500),
            (3, 0.02, 112_900),
            (2, -0.04, 112_700),
            (1, -0.04, 112_600),
        ],
        1,
    ):
        desk.now_ns = now_ns - ago_s * 10**9
        desk.trade(desk.target("trend", version, EURUSD=lots))
        desk.close_bar(EURUSD, bid, bid + 10)
    read(desk)
    today = time.strftime("%Y-%m-%d", time.gmtime(now_ns // 10**9))
    (expected,) = [row for row in reporting.pnl(Scope(), ("set", "day"), 100) if row.group == ("trend", today)]
    (found,) = reporting.by_set()
    assert found.today == pytest.approx(expected.total, abs=1e-4)
    assert abs(found.today) > 1.0
    assert found.realised_today == pytest.approx(expected.realised - expected.fees, abs=1e-4)


def test_what_is_held_by_class_of_assets_adds_up_to_what_is_held_by_set(desk):
    trade_at_random(desk, 4, rounds=12)
    read(desk)
    names = sorted({each.instrument for each in reporting.positions(Scope(), 1000)})
    assert len(names) > 1
    found = reporting.today({names[0]: "fx"})
    assert {each.set for each in found.classes} == {"", "fx"}
    for name in ("today", "open", "net", "gross", "realised_today"):
        by_class, by_set = (sum(getattr(each, name) for each in rows) for rows in (found.classes, found.sets))
        assert by_class == pytest.approx(by_set, abs=1e-4), name
    held = [each for each in reporting.positions(Scope(instrument=names[0]), 1000) if each.steps]
    of_class = {each.set: each for each in found.classes}["fx"]
    assert of_class.accounts == len(held)
    assert of_class.gross == pytest.approx(sum(abs(each.value) for each in held), abs=1e-4)


def test_each_broker_has_its_accounts_and_what_is_unknown_there(desk):
    trade_at_random(desk, 7, rounds=8)
    read(desk)
    (found,) = reporting.brokers(desk.now_ns, 60 * 24 * 3)
    assert (found.broker, found.accounts) == ("paper", len(reporting.accounts(Scope(), 100)))
    orders = reporting.orders(Scope(), 10_000)
    assert found.accepted_at_ns == max(each.accepted_at_ns or 0 for each in orders)
    assert found.unknown == sum(each.state == "Unknown" for each in orders)
    (later,) = reporting.brokers(desk.now_ns + 3_600 * 10**9, 1)
    assert (later.accounts, later.accepted_at_ns) == (found.accounts, None)
    (gone,) = reporting.brokers(desk.now_ns + 60 * 24 * 4 * MINUTE_NS, 60 * 24 * 3)  # nothing was read meanwhile
    assert (gone.accounts, gone.unknown, gone.accepted_at_ns) == (found.accounts, found.unknown, None)


def test_orders_and_refusals_are_counted_by_minute(desk):
    trade_at_random(desk, 5, rounds=12)
    read(desk)
    last_ns = desk.now_ns
    minutes = reporting.minutes(last_ns, 60 * 24 * 3)
    assert sum(each.orders for each in minutes) == len(reporting.orders(Scope(), 10_000))
    assert sum(each.refusals for each in minutes) == len(reporting.refusals(Scope(), 10_000))
    later = reporting.minutes(last_ns + 5 * MINUTE_NS, 60 * 24 * 3)  # nothing was read meanwhile
    assert [each.at_ns for each in later] == [each.at_ns + 5 * MINUTE_NS for each in minutes]
    assert [each[1:] for each in later[:-5]] == [each[1:] for each in minutes[5:]]
    assert not any(each.orders or each.refusals for each in later[-5:])


def change(desk, **given):
    desk.now_ns += MINUTE_NS
    desk.execution.append(SHARD, desk.now_ns, TradingStateChanged(**given), [])


def test_restrictions_are_those_that_were_said_last(desk):
    desk.open(1, 2)
    change(desk, state=2, reason="a halt")
    change(desk, state=1, set="trend", reason="odd")
    change(desk, state=1, accounts=ints([1, 2]), reason="daily loss", stop=13)
    read(desk)
    assert [
        (each.level, each.state, each.reason, each.accounts, each.is_stop) for each in reporting.restrictions()
    ] == [
        ("global", "halted", "a halt", 1, False),
        ("set", "reducing", "odd", 1, False),
        ("account", "reducing", "daily loss", 2, True),
    ]
    change(desk, state=0)
    change(desk, state=0, accounts=ints([1]), reason="talked to the client")
    read(desk)
    left = [(each.level, each.accounts) for each in reporting.restrictions()]
    assert left == [("set", 1), ("account", 1)]


def test_a_halt_is_the_first_thing_that_needs_a_person(desk, kill_switch):
    desk.open(1)
    change(desk, state=2, reason="a halt")
    read(desk)
    kill_switch.write_text("prices look wrong\n")
    needs = overview().needs
    assert [each.button for each in needs[:2]] == ["Lift the kill switch", "Lift the halt"]
    assert needs[0].detail == "prices look wrong"


def test_reporting_that_stands_still_is_told_and_one_that_waits_for_nothing_is_not(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("apps.console.needs.time.monotonic", lambda: now[0])
    progress = _Progress()
    assert progress.stuck_seconds(5, 3) == 0.0
    now[0] = 9.0
    assert progress.stuck_seconds(5, 4) == 9.0
    assert progress.stuck_seconds(6, 3) == 0.0
    now[0] = 100.0
    assert progress.stuck_seconds(6, 0) == 0.0
    assert progress.stuck_seconds(6, 1) == 0.0


def queries(client, path):
    captures = [CaptureQueriesContext(connections[alias]) for alias in ALL]
    for each in captures:
        each.__enter__()
    assert client.get(path).status_code == 200
    for each in captures:
        each.__exit__(None, None, None)
    return sum(map(len, captures))


def test_pages_cost_the_same_queries_however_much_there_is(desk, client, people, kill_switch):
    client.force_login(people["administrator"])
    paths = ("/", "/dead-letters/", "/audit/")
    client.get("/")
    before = {path: queries(client, path) for path in paths}
    trade_at_random(desk, 6, rounds=6)
    read(desk)
    assert {path: queries(client, path) for path in paths} == before
    assert before["/"] <= 45


def test_a_part_that_cannot_be_asked_says_why_and_the_others_are_told(monkeypatch, kill_switch):
    from django.db import OperationalError

    def away(class_of):
        raise OperationalError("connection refused")

    monkeypatch.setattr("apps.console.overview.reporting.today", away)
    found = overview()
    assert "connection refused" in found.today.problem
    assert found.funds.problem == ""
    assert found.level == "bad"
