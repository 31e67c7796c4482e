"""Orders, cancels and payments as they are typed: what becomes of the words, and what cannot be."""

from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from msgspec.structs import asdict

from apps.execution import orders_typed
from apps.execution.book_contracts import ConfigureAccount
from apps.execution.contracts import CancelOrder, ConfigureSet, OrderType, PlaceManualOrder, Subscribe
from apps.execution.interface import NewAccount, open_accounts
from apps.execution.management.commands import accounts as command
from apps.signals.interface import NewMember, define_set
from banyan.codec import decode_envelope, decode_message
from banyan.models import Request
from banyan.shards import shard_keys
from trading.bars import Close
from trading.targets import DAY, GTC, GTD

pytestmark = pytest.mark.django_db(databases=["execution", "feeds", "signals"], transaction=True)
EURUSD, SPY = "OANDA:EURUSD", "NYSEARCA:SPY"


def asked(kind: type) -> list[Any]:
    """Return the commands of a kind that wait for execution."""
    rows = Request.objects.using("execution").order_by("place")
    found = [decode_message(decode_envelope(bytes(row.header)).name, bytes(row.body)) for row in rows]
    return [each for each in found if isinstance(each, kind)]


@pytest.fixture(autouse=True)
def _account(monkeypatch):
    monkeypatch.setattr(orders_typed, "last_quote", lambda _: Close(108_100, 108_102, 7))
    return open_accounts([NewAccount(id="A-1", client="a", deposit=1e4)])


def order(**typed: Any) -> None:
    call_command("accounts", "order", "A-1", instrument=EURUSD, stdout=StringIO(), **typed)


def test_an_order_is_typed_in_lots_and_prices_and_asked_for_in_steps_and_ticks():
    order(lots=20_000.0, limit=1.08, in_force="day")
    order(lots=-3.0, stop=1.07, limit=1.06999, in_force="gtd", until="2026-03-02T16:00")
    order(lots=1.0)
    limit, stop_limit, market = asked(PlaceManualOrder)
    assert (limit.order_type, limit.limit_ticks, limit.time_in_force) == (OrderType.LIMIT, 108_000, DAY)
    assert limit.steps * limit.terms.lot_step_e9 == 20_000 * 10**9
    assert (limit.bid_ticks, limit.ask_ticks, limit.quoted_at_ns) == (108_100, 108_102, 7)
    assert (stop_limit.order_type, stop_limit.stop_ticks, stop_limit.limit_ticks) == (3, 107_000, 106_999)
    assert stop_limit.steps < 0
    until_ns = int(np.datetime64("2026-03-02T16:00", "ns").astype(np.int64))
    assert (stop_limit.time_in_force, stop_limit.expires_ns) == (GTD, until_ns)
    assert (market.order_type, market.time_in_force) == (OrderType.MARKET, GTC)


def test_who_has_accounts_is_told_of_every_set_that_is_defined_what_it_trades_before_the_set_is():
    for instruments in ([EURUSD], [SPY, EURUSD], [EURUSD]):
        define_set("trend", [NewMember("ema_cross", [(each, "1h")], {}) for each in instruments])
        told = asked(ConfigureSet)[-1]
        assert (told.set, [each.id for each in told.terms]) == ("trend", sorted(instruments))
    assert len(asked(ConfigureSet)) == 3


def test_what_holds_for_all_who_follow_a_set_is_told_with_its_terms_whenever_these_are():
    define_set("trend", [NewMember("ema_cross", [(EURUSD, "1h")], {})])
    level = {"sizing": "vol:15", "lots_max": 2.0, "close_only": "yes"}
    call_command("accounts", "configure", set="trend", stdout=StringIO(), **level)
    define_set("trend", [NewMember("ema_cross", [(SPY, "1h")], {})])
    call_command("accounts", "subscribe", "A-1", set="trend", stdout=StringIO())
    told, shards = asked(ConfigureSet)[1:], len(shard_keys(settings.SHARDS))
    assert [each.terms[0].id for each in told] == [EURUSD] * shards + [SPY] * (1 + shards)
    for each in told:
        assert (each.sizing, each.sizing_number_e9, each.lots_max_e9) == ("vol", 15 * 10**9, 2 * 10**9)
        assert (each.multiplier_e9, each.close_only, each.below_min) == (10**9, True, "skip")
    call_command("accounts", "configure", set="trend", stdout=StringIO())
    assert (asked(ConfigureSet)[-1].sizing, asked(ConfigureSet)[-1].close_only) == ("all-in", False)
    with pytest.raises(CommandError, match="accounts or --set, not both"):
        call_command("accounts", "configure", "A-1", set="trend", stdout=StringIO())
    with pytest.raises(CommandError, match="there is no set carry"):
        call_command("accounts", "configure", set="carry", stdout=StringIO())


def test_an_account_that_is_open_already_is_said_to_stay_as_it_is():
    out = StringIO()
    call_command("accounts", "open", "A-1", "A-2", leverage=30.0, stdout=out)
    opened, known = out.getvalue().splitlines()
    assert opened.startswith("opened A-2 (number 2, shard ")
    assert known == "1 account open already: nothing changes for them"


def test_settings_of_an_account_are_typed_as_those_of_a_subscription_are():
    typed = {"sizing": "vol:15", "multiplier": 0.5, "only": [EURUSD], "close_only": "no", "below_min": "round-up"}
    call_command("accounts", "configure", "A-1", stdout=StringIO(), **typed)
    call_command("accounts", "configure", "A-1", stdout=StringIO())
    first, second = asked(ConfigureAccount)
    assert (first.sizing, first.sizing_number_e9, first.multiplier_e9) == ("vol", 15 * 10**9, 5 * 10**8)
    assert (first.instruments, first.close_only, first.reverse) == ([EURUSD], False, None)
    assert asdict(second) == asdict(ConfigureAccount(account=first.account))
    with pytest.raises(CommandError, match="there is no account A-2"):
        call_command("accounts", "configure", "A-2", stdout=StringIO())
    with pytest.raises(CommandError, match="from 0 to a billion"):
        call_command("accounts", "configure", "A-1", multiplier=-1.0, stdout=StringIO())


def test_how_a_set_is_followed_is_typed_with_all_that_can_be_set():
    define_set("trend", [NewMember("ema_cross", [(EURUSD, "1h")], {})])
    typed = {"only": [EURUSD], "below_min": "round-up", "reverse": "yes", "close_only": "no", "multiplier": 2.0}
    call_command("accounts", "subscribe", "A-1", set="trend", symbol=[f"{EURUSD}={SPY}"], stdout=StringIO(), **typed)
    (told,) = asked(Subscribe)
    assert (told.instruments, told.below_min, told.reverse, told.close_only) == ([EURUSD], "round-up", True, False)
    assert (told.multiplier_e9, told.symbols) == (2 * 10**9, {EURUSD: SPY})
    assert [(each.id, each.tick_e9) for each in told.symbol_terms] == [(SPY, 10_000_000)]
    for wrong, said in (
        ({"symbol": ["OANDA:EURUSD"]}, "write each instrument of the set once"),
        ({"symbol": [f"{EURUSD}=OANDA:NONE"]}, "OANDA:NONE"),
        ({"only": ["OANDA:NONE"]}, "OANDA:NONE"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command("accounts", "subscribe", "A-1", set="trend", stdout=StringIO(), **wrong)


def test_the_same_key_asks_once():
    for _ in range(2):
        order(lots=1.0, key="once")
        call_command("accounts", "cancel", "A-1", instrument=EURUSD, order=7, key="once", stdout=StringIO())
    assert len(asked(PlaceManualOrder)) == 1
    (cancel,) = asked(CancelOrder)
    assert (cancel.instrument, cancel.decision) == (EURUSD, 7)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({}, "--instrument and --lots"),
        ({"lots": 0.3}, "0.3 lots are not whole steps of 1"),
        ({"lots": 1.0, "limit": 1.080001}, "a price of 1.080001 is not whole ticks of 1e-05"),
        ({"lots": 1.0, "stop": -1.0}, "not above 0"),
        ({"lots": 1.0, "limit": 1.0, "until": "soon"}, "no time such as"),
    ],
)
def test_what_cannot_be_an_order_is_said_in_one_line(typed, said):
    with pytest.raises(CommandError, match=said):
        order(**typed)
    assert not asked(PlaceManualOrder)


def test_without_a_quote_there_is_nothing_to_check_an_order_against(monkeypatch):
    monkeypatch.setattr(orders_typed, "last_quote", lambda _: None)
    with pytest.raises(CommandError, match="let no price in yet"):
        order(lots=1.0)


def test_money_is_paid_at_the_paper_broker_and_nowhere_else(monkeypatch):
    paid: list[Any] = []
    monkeypatch.setattr(command, "pay", lambda _, *given: paid.append(given))
    call_command("accounts", "withdraw", "A-1", amount=12.5, key="k", stdout=StringIO())
    ((numbers, amounts, reference),) = paid
    assert (numbers.tolist(), amounts.tolist(), reference) == ([1], [-12_500_000], "payment k")
    open_accounts([NewAccount(id="B-1", client="b", deposit=0.0, broker="mt5")])
    with pytest.raises(CommandError, match="B-1: not at the paper broker"):
        call_command("accounts", "deposit", "B-1", amount=1.0)
    with pytest.raises(CommandError, match="there is no account C-1"):
        call_command("accounts", "deposit", "C-1", amount=1.0)
    with pytest.raises(CommandError, match="above 0"):
        call_command("accounts", "deposit", "A-1", amount=-1.0)


@pytest.mark.parametrize(("sizing", "said"), [("vol", "vol:15"), ("magic", "choose one of"), ("vol:x", "not a number")])
def test_a_sizing_that_cannot_be_is_said_in_one_line(sizing, said, monkeypatch):
    monkeypatch.setattr(command, "configured", lambda _: None)
    monkeypatch.setattr(command, "configure_set", lambda *_, **__: None)
    with pytest.raises(CommandError, match=said):
        call_command("accounts", "subscribe", "A-1", set="trend", sizing=sizing)
