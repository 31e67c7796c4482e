import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.urls import reverse

from apps.console.acts import KINDS, Danger
from apps.console.models import Act, Outcome
from apps.risk.contracts import SetTradingState, TradingState
from banyan.codec import decode_envelope, decode_message
from banyan.models import Request
from tests.integration.console.conftest import ALL, PASSWORD
from tests.integration.console.test_access import ARGUMENTS
from tests.integration.console.test_away import ASKED, OF_BOARD

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("commands_of_this_test")]

OTHERS = ("sign-in", "sign-out", "api-keys", "api-key-new")


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


def ask(client, name, **given):
    return client.post(reverse("act", args=[name]), {"password": PASSWORD, **given})


def test_the_kill_switch_is_thrown_and_lifted_with_a_record_of_both(operator, kill_switch):
    assert ask(operator, "kill-switch.throw", why="prices look wrong", word="STOP").status_code == 302
    assert "prices look wrong" in kill_switch.read_text()
    assert ask(operator, "kill-switch.lift", why="they are right again").status_code == 302
    assert not kill_switch.exists()
    lifted, thrown = Act.objects.select_related("outcome")
    assert (thrown.user, thrown.why, thrown.before, thrown.address) == (
        "operator", "prices look wrong", {"thrown": ""}, "127.0.0.1",
    )  # fmt: skip
    assert thrown.outcome.after["thrown"] == lifted.before["thrown"] == "operator: prices look wrong"
    assert lifted.outcome.is_done


@pytest.mark.parametrize(("why", "word"), [("", "STOP"), ("because", ""), ("because", "stop"), ("  ", "STOP")])
def test_without_a_reason_or_the_word_nothing_is_done_or_recorded(operator, kill_switch, why, word):
    response = ask(operator, "kill-switch.throw", why=why, word=word)
    assert response.status_code == 422
    assert not kill_switch.exists()
    assert not Act.objects.exists()


def test_a_halt_asks_every_shard_with_who_and_why(operator, settings):
    assert ask(operator, "trading.halt", why="a test", word="HALT").status_code == 302
    asked = [
        decode_message(decode_envelope(bytes(each.header)).name, bytes(each.body))
        for each in Request.objects.using("risk")
    ]
    assert len(asked) == settings.SHARDS + 1
    assert {(type(each), each.state, each.reason) for each in asked} == {
        (SetTradingState, TradingState.HALTED, "operator: a test")
    }


def test_what_fails_is_told_and_recorded(operator):
    response = ask(operator, "letter.drop", context="risk", letter="7", why="gone")
    assert response.status_code == 302
    outcome = Outcome.objects.get()
    assert not outcome.is_done
    assert "risk has no dead letter 7" in outcome.text


@pytest.mark.parametrize("table", [Act, Outcome])
@pytest.mark.parametrize("how", ["DELETE FROM {}", "UPDATE {} SET at = now()"])
def test_records_cannot_be_changed_or_deleted(operator, kill_switch, table, how):
    ask(operator, "kill-switch.lift", why="to have a record")
    with pytest.raises(ProgrammingError, match="kept as they were written"), transaction.atomic():
        connection.cursor().execute(how.format(table._meta.db_table))
    assert table.objects.count() == 1


def test_an_act_leads_back_to_where_it_came_from_and_to_no_other_site(operator, kill_switch):
    assert ask(operator, "kill-switch.lift", why="x", next="/audit/").headers["Location"] == "/audit/"
    assert ask(operator, "kill-switch.lift", why="x", next="https://evil.example/").headers["Location"] == "/"
    assert ask(operator, "kill-switch.lift", why="x", next="//evil.example/").headers["Location"] == "/"
    assert ask(operator, "kill-switch.lift", why="x", next="-1").headers["Location"] == "/"  # no name of a page either


def test_what_is_dangerous_asks_for_more():
    assert all(kind.word for kind in KINDS.values() if kind.danger is Danger.GREAT)
    assert {name for name, kind in KINDS.items() if kind.danger is Danger.GREAT} == {
        "account.flatten",
        "accounts.flatten",
        "accounts.halt",
        "kill-switch.throw",
        "order.resolve",
        "quarantine.discard-all",
        "set.configure",
        "trading.halt",
    }


def test_every_post_needs_the_token_of_a_form(people, kill_switch):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people["administrator"])
    assert ask(client, "kill-switch.throw", why="x", word="STOP").status_code == 403
    assert not kill_switch.exists()
    records = [reverse("admin:auth_user_add"), reverse("admin:auth_group_add"), reverse("admin:feeds_instrument_add")]
    for path in [
        *(reverse(name, args=ARGUMENTS.get(name) or OF_BOARD.get(name)) for name in sorted({*ASKED, *OTHERS})),
        *records,
    ]:
        answer = client.post(path, {"password": PASSWORD, "why": "x"})
        assert answer.status_code in (403, 405), path
    assert not Act.objects.exists()
