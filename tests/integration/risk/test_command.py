import io
import json
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from apps.execution.interface import NewAccount, open_accounts
from apps.feeds.models import Instrument
from apps.risk.core import RISK
from apps.risk.interface import in_force
from apps.risk.reading import forget_kept_states
from banyan.clock import SystemClock
from banyan.host import Host, HostSettings
from banyan.models import Request
from banyan.shards import shard_keys
from banyan.store import Store
from banyan.transport import LocalTransport

pytestmark = pytest.mark.django_db(databases=["execution", "feeds", "risk"], transaction=True)
EURO = "OANDA:EURUSD"


@pytest.fixture
def host() -> Iterator[Host]:
    Instrument.objects.create(id=EURO, tick_size=1e-5, lot_step=0.01, lot_min=0.01, contract_size=1e5)
    open_accounts(NewAccount(id=name, client="c", deposit=1e3) for name in "ab")
    made = Host(RISK, Store("risk"), (), SystemClock(), owner="one", settings=HostSettings(always_decode=True))
    transport = LocalTransport({"risk": []})
    transport.join(made)
    made.open(shard_keys(settings.SHARDS))
    forget_kept_states()  # of the databases of other tests
    yield made
    made.store.close()
    transport.close()


def told(*words: str) -> str:
    out = io.StringIO()
    call_command("risk", *words, stdout=out)
    return out.getvalue()


def shown(host: Host, *words: str) -> dict:
    host.look_for(("", key) for key in shard_keys(settings.SHARDS))
    while host.step():
        pass
    found = json.loads(told("show", "--json", *words))
    options = dict(zip(words[::2], words[1::2], strict=True))
    kept = in_force(options.get("--account", ""), options.get("--instrument", ""))
    assert found | kept == found, "what is kept and brought forward is what the log says"
    return found


def test_nothing_is_limited_until_somebody_limits_it(host):
    assert told("show") == "trading state: active\n  no limits\n"


def test_the_narrowest_limit_counts_and_says_whose_it_is(host):
    told("limit", "order=9steps", "daily-loss=5%")
    told("limit", "order=0.05lots", "--instrument", EURO)
    told("limit", "order=0.02lots", "position=1lots", "--account", "a", "--instrument", EURO)
    rows = shown(host, "--account", "a", "--instrument", EURO)["limits"]
    assert [tuple(row.values()) for row in rows] == [
        ("position", "1lots", f"a in {EURO}"),
        ("order", "0.02lots", f"a in {EURO}"),
        ("daily-loss", "5%", "all"),
    ]
    rows = shown(host, "--account", "b", "--instrument", EURO)["limits"]
    assert [tuple(row.values()) for row in rows] == [("order", "0.05lots", EURO), ("daily-loss", "5%", "all")]
    assert "  daily-loss" in told("show", "--account", "b")


def test_a_limit_is_changed_without_the_others_of_its_level(host):
    told("limit", "order=9steps", "gross=1000", "--account", "a")
    assert "gross 1000, orders-per-minute 9" in told("limit", "orders-per-minute=9", "--account", "a")
    shown(host)
    assert told("limit", "gross=none", "orders-per-minute=60", "--account", "a") == (
        "limits of a: order 9steps, orders-per-minute 60\n"
    )
    rows = shown(host, "--account", "a")["limits"]
    assert {row["limit"]: row["value"] for row in rows} == {"order": "9steps", "orders-per-minute": "60"}


def test_who_is_halted_is_shown_until_activated(host):
    told("halt", "--account", "a", "--reason", "client asked")
    told("reduce", "--set", "trend")
    told("halt", "--instrument", EURO)
    found = shown(host)
    assert found["trading_state"] == {"set trend": "reducing", EURO: "halted"}
    assert found["accounts_not_active"] == ["a"]
    assert shown(host, "--account", "a")["trading_state"]["a"] == "halted"
    told("activate", "--account", "a")
    assert shown(host)["accounts_not_active"] == []


def test_an_account_may_trade_what_it_is_allowed_and_all_without_a_list(host):
    assert shown(host, "--account", "a")["allowed"] is None
    told("allow", "--account", "a", "--instrument", EURO)
    assert shown(host, "--account", "a")["allowed"] == [EURO]
    told("allow", "--account", "a")
    assert shown(host, "--account", "a")["allowed"] is None


def test_sessions_are_shown_as_they_were_written(host):
    told("sessions", "--instrument", EURO, "--open", "Sun 17:00-Fri 17:00", "--tz", "America/New_York")
    assert shown(host)["sessions"] == {EURO: "Sun 17:00-Fri 17:00 (America/New_York)"}
    told("sessions", "--instrument", EURO)
    assert shown(host)["sessions"] == {}


def test_what_nobody_has_applied_yet_is_told(host):
    told("halt", "--account", "a")
    assert "1 request not applied yet: they wait for `manage.py run`" in told("show")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["limit"], "which limits"),
        (["limit", "loss=1"], "is no limit"),
        (["limit", "order=5steps", "--account", "nobody"], "there is no account nobody"),
        (["limit", "daily-loss=5%", "--instrument", EURO], "is a limit of whole accounts"),
        (["limit", "order=5steps", "--instrument", "X:Y"], "X:Y"),
        (["halt", "order=5steps"], "unrecognized arguments: order=5steps"),
        (["halt", "--account", "a", "--set", "trend"], "one level"),
        (["allow", "--instrument", EURO], "give --account"),
        (["sessions", "--open", "Mon 09:00-Fri 17:00"], "give --instrument"),
        (["sessions", "--instrument", EURO, "--open", "9-17"], "is no session"),
        (["sessions", "--instrument", EURO, "--open", "Mon 09:00-Fri 17:00", "--tz", "Mars"], "IANA"),
        (["show", "--account", "a", "--account", "b"], "one --account at a time"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_nothing_is_asked(host, words, problem):
    with pytest.raises(CommandError, match=problem) as caught:
        told(*words)
    assert caught.value.returncode in (1, 2)
    assert not Request.objects.using("risk").exists()
