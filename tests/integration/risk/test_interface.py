import pytest

from apps.execution.interface import AccountError, NewAccount, open_accounts
from apps.risk.contracts import Limits, SessionWindow, TradingState
from apps.risk.interface import RiskError, allow_instruments, set_limits, set_sessions, set_trading_state
from banyan.codec import decode_envelope, decode_message
from banyan.models import Request

pytestmark = pytest.mark.django_db(databases=["execution", "risk"], transaction=True)


def asked():
    """Return (shard, message) of each command that waits for risk."""
    rows = Request.objects.using("risk").order_by("place")
    return [(row.key, decode_message(decode_envelope(bytes(row.header)).name, bytes(row.body))) for row in rows]


@pytest.fixture
def accounts():
    return {each.id: each for each in open_accounts(NewAccount(id=name, client="c", deposit=1e3) for name in "ab")}


def test_limits_of_an_account_go_to_its_shard_and_those_of_all_to_every_shard(accounts):
    set_limits(Limits(order_steps_max=5), account="b", instrument="EURUSD", request="one")
    ((shard, command),) = asked()
    assert shard == accounts["b"].shard
    assert (command.account, command.instrument) == (accounts["b"].number, "EURUSD")
    set_limits(Limits(order_steps_max=9), request="two")
    everywhere = asked()[1:]
    assert len({shard for shard, _ in everywhere}) == len(everywhere) > 1
    assert {command.account for _, command in everywhere} == {-1}


def test_asking_twice_changes_once(accounts):
    for _ in range(2):
        set_limits(Limits(order_steps_max=5), account="a", request="same")
    assert len(asked()) == 1


def test_states_lists_and_sessions_are_asked_for(accounts):
    set_trading_state(TradingState.HALTED, accounts=["a"], reason="client asked", request="one")
    allow_instruments("a", ["EURUSD"], request="one")
    set_sessions("EURUSD", [SessionWindow(opens_minute=0, closes_minute=10080)], request="one")
    (_, halted), (_, allowed), *sessions = asked()
    assert (halted.accounts.tolist(), halted.state) == ([accounts["a"].number], TradingState.HALTED)
    assert allowed.instruments == ["EURUSD"]
    assert {command.instrument for _, command in sessions} == {"EURUSD"}


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: set_limits(Limits(order_steps_max=-7), request="x"), RiskError, "order_steps_max = -7"),
        (lambda: set_limits(Limits(), account="nobody", request="x"), AccountError, "nobody"),
        (lambda: set_trading_state(1, set_name="s", instrument="i", request="x"), RiskError, "one level"),
        (lambda: allow_instruments("", [], request="x"), RiskError, "one account"),
        (lambda: allow_instruments("a", [""], request="x"), RiskError, "no name"),
        (lambda: set_sessions("", None, request="x"), RiskError, "give its name"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_asked(accounts, ask, error, words):
    with pytest.raises(error, match=words):
        ask()
    assert asked() == []
