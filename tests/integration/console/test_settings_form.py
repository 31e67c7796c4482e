"""The chain of settings, edited at the level that one means: previewed by set, asked of execution, recorded."""

import time

import pytest
from django.urls import reverse

from apps.console.models import Act
from apps.execution.book_contracts import ConfigureAccount
from apps.execution.contracts import ConfigureSet, Subscribe
from apps.execution.interface import NewAccount, open_accounts
from apps.feeds.models import Instrument
from apps.reporting import interface as reporting
from apps.signals.interface import NewMember, define_set
from banyan.codec import decode_envelope, decode_message
from banyan.models import Request
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.unit.execution.desk import EURUSD

pytestmark = [pytest.mark.django_db(databases=ALL, transaction=True), pytest.mark.usefixtures("commands_of_this_test")]


@pytest.fixture
def account():
    """An account that follows two sets, as reporting and execution know it."""
    desk = RecordedDesk()
    desk.now_ns = time.time_ns() - 50 * HOUR_NS
    desk.open(1)
    for name in ("trend", "revert"):
        desk.configure(name, EURUSD)
        desk.subscribe(name, 1, allocation_e9=400_000_000)
    read(desk)
    open_accounts([NewAccount(id="A1", client="c", deposit=1e3)])
    return "A1"


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


def asked(kind):
    rows = Request.objects.using("execution").order_by("place")
    found = [decode_message(decode_envelope(bytes(each.header)).name, bytes(each.body)) for each in rows]
    return [each for each in found if isinstance(each, kind)]


def test_the_accounts_own_level_is_previewed_by_set_and_asked_for(operator, account):
    path = reverse("settings-form", args=[account])
    wrong = operator.get(path, {"change": "1", "multiplier": "plenty"})
    assert wrong.status_code == 422
    assert "multiplier: &#x27;plenty&#x27; is no number" in wrong.content.decode()
    led_on = operator.get(path, {"change": "1", "multiplier": "2", "close_only": "yes"})
    assert led_on.status_code == 302
    previewed = operator.get(led_on.headers["Location"]).context
    effect = "\n".join(previewed["effect"])
    assert "Multiplier: not given becomes 2, at the level of A1" in effect
    assert "In trend: multiplier from 1 to 2, only closes from no to yes." in effect
    assert "In revert: multiplier from 1 to 2" in effect
    posted = dict(previewed["given"].items()) | {"why": "its client asked"}
    assert operator.post(reverse("act", args=["account.configure"]), posted).status_code == 302
    (told,) = asked(ConfigureAccount)
    assert (told.multiplier_e9, told.close_only, told.reverse, told.sizing) == (2 * 10**9, True, None, "")
    act = Act.objects.select_related("outcome").get()
    assert (act.name, act.subject, act.why, act.before) == ("account.configure", "A1", "its client asked", {})
    assert act.outcome.after == {"multiplier": "2", "close_only": "yes"}
    again = operator.get(path)  # what waits is what was asked last
    assert {each.name: text for each, text in again.context["fields"]}["multiplier"] == "2"
    same = operator.get(operator.get(path, {"change": "1", "multiplier": "2", "close_only": "yes"}).headers["Location"])
    assert same.context["idle"] == "Nothing changes: this is what was asked last for A1, for all that it follows."
    assert (same.status_code, "Change them" in same.content.decode()) == (200, False)


def test_how_a_set_is_followed_is_changed_at_its_own_level(operator, account, monkeypatch):
    Instrument.objects.using("feeds").get_or_create(id="SIM:OTHER", defaults={"currency": "USD", "tick_size": 1e-5})
    monkeypatch.setattr("apps.console.placing.signals.set_standings", lambda: [Named("trend")])
    monkeypatch.setattr("apps.console.acts_of_settings.get_set", lambda name: None)
    followed = []
    monkeypatch.setattr(
        "apps.console.acts_of_settings.execution.follow", lambda account, terms, request: followed.append(terms)
    )
    path = reverse("settings-form", args=[account])
    shown = {each.name: text for each, text in operator.get(path, {"set": "trend"}).context["fields"]}
    assert (shown["allocation"], shown["is_active"], shown["join"]) == ("0.4", "yes", "next-change")
    typed = shown | {"change": "1", "set": "trend", "sizing": "risk:1", "symbols": "SIM:EURUSD=SIM:OTHER"}
    led_on = operator.get(path, typed)
    assert led_on.status_code == 302, led_on.context["problem"]
    previewed = operator.get(led_on.headers["Location"]).context
    effect = "\n".join(previewed["effect"])
    assert "Sizing: not given becomes risk:1, at the level of how A1 follows trend." in effect
    assert "In trend: sizing from all-in to risk:1." in effect
    assert "In revert: what holds stays as it is." in effect
    posted = dict(previewed["given"].items()) | {"why": "agreed"}
    assert operator.post(reverse("act", args=["account.subscribe"]), posted).status_code == 302
    (terms,) = followed
    assert isinstance(terms, Subscribe)
    assert (terms.allocation_e9, terms.sizing, terms.symbols) == (400_000_000, "risk", {"SIM:EURUSD": "SIM:OTHER"})
    assert operator.get(path, {"set": "nothing"}).status_code == 404


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


def test_what_holds_for_all_who_follow_a_set_is_counted_on_them_before_it_is_set(operator):
    Instrument.objects.using("feeds").create(id=EURUSD.id, tick_size=1e-5, lot_step=0.01, lot_min=0.01)
    define_set("trend", [NewMember("ema_cross", [(EURUSD.id, "1h")], {"fast": 10, "slow": 50})])
    desk = RecordedDesk()
    desk.now_ns = time.time_ns() - 50 * HOUR_NS
    desk.open(1, 2, 3, 4, 5)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1, 2)
    desk.subscribe("trend", 3, multiplier_e9=3 * 10**9)
    desk.subscribe("trend", 4, 5)
    desk.subscribe("trend", 5, is_active=False)
    desk.feed(ConfigureAccount(account=2, close_only=False))
    desk.feed(ConfigureAccount(account=4, multiplier_e9=10**9, close_only=True))
    read(desk)
    assert reporting.followers() == {"trend": 4}
    path = reverse("set-settings", args=["trend"])
    wrong = operator.get(path, {"change": "1", "sizing": "vol"})
    assert (wrong.status_code, "such as vol:15" in wrong.context["problem"]) == (422, True)
    led_on = operator.get(path, {"change": "1", "multiplier": "2", "close_only": "yes"})
    previewed = operator.get(led_on.headers["Location"]).context
    assert previewed["effect"][:2] == [
        "Multiplier: not given becomes 2, at the level of all who follow trend.",
        "Only closes: not given becomes yes, at the level of all who follow trend.",
    ]
    assert set(previewed["effect"][2:4]) == {
        "For 2 of 4 accounts that follow it: multiplier from 1 to 2.",
        "For 2 of 4 accounts that follow it: only closes from no to yes.",
    }
    assert previewed["effect"][4] == (
        "For 1 of 4 accounts that follow it nothing changes: what they say themselves goes before this."
    )
    posted = dict(previewed["given"].items()) | {"why": "calmer", "word": "ALL"}
    act = reverse("act", args=["set.configure"])
    assert operator.post(act, posted | {"word": "all"}).status_code == 422
    assert asked(ConfigureSet) == []
    assert operator.post(act, posted).status_code == 302
    told = asked(ConfigureSet)
    assert {(each.multiplier_e9, each.close_only, each.reverse) for each in told} == {(2 * 10**9, True, False)}
    assert Act.objects.select_related("outcome").get().outcome.after == {"multiplier": "2", "close_only": "yes"}
    shown = operator.get(reverse("set", args=["trend"])).context["for_all"]
    assert ("multiplier", "2", True) in shown.settings
    assert ("reverse", "no", False) in shown.settings
    assert (shown.taken, shown.shards) == (0, 1)  # the desk's shard, which has not been told yet
    desk.feed(told[0])
    read(desk)
    shown = operator.get(reverse("set", args=["trend"])).context["for_all"]
    assert (shown.taken, shown.shards) == (1, 1)
    assert {each.name: text for each, text in operator.get(path).context["fields"]}["multiplier"] == "2"
    again = operator.get(
        operator.get(path, {"change": "1", "multiplier": "2", "close_only": "yes"}).headers["Location"]
    )
    assert again.context["idle"] == "Nothing changes: this is what is set for all who follow trend."
    assert operator.get(reverse("set-settings", args=["nothing"])).status_code == 404


def test_an_instrument_that_there_is_not_is_told_before_anything_is_asked(operator, account):
    found = operator.get(reverse("settings-form", args=[account]), {"change": "1", "instruments": "SIM:NONE"})
    assert found.status_code == 422
    assert "SIM:NONE" in found.context["problem"]
    assert asked(ConfigureAccount) == []
