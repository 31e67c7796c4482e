"""Logs as people look at them, a message followed from its cause to what came of it, dead letters, configuration."""

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.console.models import Act
from apps.console.operations import _stages
from banyan.codec import Envelope, encode_envelope
from banyan.host.delivery import join_events, position_of
from banyan.lineage import lineage, step, steps
from banyan.models import DeadLetter, Log
from tests.integration.console.conftest import ALL, PASSWORD

pytestmark = pytest.mark.django_db(databases=ALL)
MS = 1_000_000
T0 = 1_790_000_000 * 10**9


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


def recorded(context, key, number, *, name, id_, at_ms, sender=None, correlation="", gave=(), body=b'{"a": 1}'):
    """Put a step into a log; `sender` is (context, key, number) of the record whose first event it took."""
    of = ("", "", 0) if sender is None else (sender[0], sender[1], position_of(sender[2], 0))
    envelope = Envelope(
        name=name, id=id_, key=key, correlation=correlation, sender=of[0], sender_key=of[1], number=of[2]
    )
    Log.objects.using(context).create(
        key=key, number=number, written_at=timezone.now(), received_at_ns=T0 + at_ms * MS,
        header=encode_envelope(envelope), body=body, events=join_events([(each, b"{}") for each in gave]),
    )  # fmt: skip


@pytest.fixture
def logs():
    """A bar that became a target, an order, an approval; and another bar's, which has nothing to do with it."""
    recorded("feeds", "oanda", 5, name="feeds.give-quotes.v1", id_="q1", at_ms=0, gave=["feeds.bar-closed.v1"])
    recorded("signals", "trend", 9, name="feeds.bar-closed.v1", id_="b1", at_ms=2, sender=("feeds", "oanda", 5),
             correlation="q1", gave=["signals.target-set.v1"])  # fmt: skip
    recorded("execution", "00", 3, name="signals.target-set.v1", id_="t1", at_ms=5, sender=("signals", "trend", 9),
             correlation="q1", gave=["execution.orders-requested.v1"])  # fmt: skip
    recorded("risk", "00", 7, name="execution.orders-requested.v1", id_="o1", at_ms=8, sender=("execution", "00", 3),
             correlation="q1", gave=["risk.orders-approved.v1"])  # fmt: skip
    recorded("execution", "00", 4, name="signals.target-set.v1", id_="t2", at_ms=9, sender=("signals", "trend", 10),
             correlation="q2")  # fmt: skip
    recorded("execution", "00", 5, name="risk.orders-approved.v1", id_="a1", at_ms=12, sender=("risk", "00", 7),
             correlation="q1")  # fmt: skip


@pytest.mark.usefixtures("logs")
def test_a_message_is_followed_back_to_its_quote_and_on_to_what_came_of_it():
    found = [(each.context, each.key, each.number) for each in lineage("execution", "00", 3)]
    assert found == [
        ("feeds", "oanda", 5), ("signals", "trend", 9), ("execution", "00", 3), ("risk", "00", 7),
        ("execution", "00", 5),
    ]  # fmt: skip
    assert lineage("execution", "00", 99) == []
    stages = _stages(lineage("execution", "00", 3), None)
    assert [each.where for each in stages] == [
        "feeds/oanda",
        "signals/trend",
        "execution/00",
        "risk/00",
        "execution/00",
    ]
    assert [each.bit.x for each in stages] == sorted(each.bit.x for each in stages)


@pytest.mark.usefixtures("logs")
def test_what_nobody_has_any_more_ends_the_way_back():
    Log.objects.using("signals").filter(number=9).delete()
    assert next((each.context, each.number) for each in lineage("execution", "00", 3)) == ("execution", 3)


@pytest.mark.usefixtures("logs")
def test_a_log_is_shown_newest_first_and_step_by_step(operator):
    assert [each.number for each in steps("execution", "00", 2)] == [5, 4]
    assert [each.number for each in steps("execution", "00", 2, 4)] == [3]
    page = operator.get(reverse("step", args=["execution", "00", 3]))
    assert page.status_code == 200
    assert "a: 1" in page.text
    assert reverse("step", args=["signals", "trend", 9]) in page.text
    followed = operator.get(reverse("follow-step", args=["execution", "00", 3])).text
    assert followed.index("feeds/oanda #5") < followed.index("risk/00 #7")
    assert operator.get(reverse("streams"), {"context": "risk", "key": "none"}).status_code == 404
    assert operator.get(reverse("step", args=["nothing", "00", 3])).status_code == 404


def test_a_message_that_is_no_json_is_shown_as_it_is():
    recorded("risk", "00", 1, name="risk.x.v1", id_="1", at_ms=1, body=b"\xffnot json <script>")
    assert "not json <script>" in step("risk", "00", 1).message


def test_a_dead_letter_is_read_dropped_and_still_found(operator):
    header = encode_envelope(Envelope(name="risk.check-orders.v1", id="m", key="00"))
    letter = DeadLetter.objects.using("risk").create(
        key="00", number=3, reason="it failed <b>three</b> times", header=header, body=b'{"orders": [1]}',
        parked_at=timezone.now(),
    )  # fmt: skip
    page = operator.get(reverse("dead-letter", args=["risk", letter.pk])).text
    assert "orders: [1]" not in page  # as it came, not made prettier
    assert "{&quot;orders&quot;: [1]}" in page
    assert "it failed &lt;b&gt;three&lt;/b&gt; times" in page
    assert "Drop" in page
    answer = operator.post(
        reverse("act", args=["letter.drop"]), {"context": "risk", "letter": letter.pk, "why": "of no use"}
    )
    assert answer.status_code == 302
    assert Act.objects.get().outcome.is_done
    assert "risk/00" not in operator.get(reverse("dead-letters")).text
    assert "dropped" in operator.get(reverse("dead-letters"), {"all": 1}).text
    assert "/act/letter.drop/" not in operator.get(reverse("dead-letter", args=["risk", letter.pk])).text


def test_the_configuration_shows_no_secret(operator, settings):
    page = operator.get(reverse("configuration")).text
    assert "BANYAN_SHARDS" in page
    assert settings.SECRET_KEY not in page


def test_the_audit_is_found_by_outcome_and_day(operator, kill_switch):
    operator.post(reverse("act", args=["kill-switch.lift"]), {"why": "one that is done", "password": PASSWORD})
    operator.post(reverse("act", args=["letter.drop"]), {"context": "risk", "letter": "7", "why": "one that is not"})
    told = {which: operator.get(reverse("audit"), {"outcome": which}).text for which in ("done", "not done", "cut off")}
    assert "one that is done" in told["done"]
    assert "one that is not" not in told["done"]
    assert "one that is not" in told["not done"]
    assert "No act is like that." in told["cut off"]
    today = timezone.now().date().isoformat()
    assert "one that is done" in operator.get(reverse("audit"), {"from": today, "to": today}).text
    assert "one that is done" not in operator.get(reverse("audit"), {"to": "2020-01-01"}).text
    wrong = operator.get(reverse("audit"), {"from": "yesterday"})
    assert wrong.status_code == 422
    assert "yesterday is no day" in wrong.text


def test_a_dead_letter_whose_envelope_cannot_be_read_is_shown_as_it_is(operator):
    letter = DeadLetter.objects.using("risk").create(
        key="00", number=3, reason="no envelope", header=b"\xff{", body=b"torn", parked_at=timezone.now()
    )
    assert "unreadable" in operator.get(reverse("dead-letters")).text
    assert "torn" in operator.get(reverse("dead-letter", args=["risk", letter.pk])).text
