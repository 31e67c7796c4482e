"""Acts that two people are needed for: one asks, another confirms, and nobody goes round it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from apps.console.acts import KINDS
from apps.console.interface import Actor, carried_out
from apps.console.models import Act, Proposal
from apps.console.overview import overview
from tests.integration.console.conftest import ALL, PASSWORD, person

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("commands_of_this_test")]
THROW = "kill-switch.throw"


@pytest.fixture(autouse=True)
def two(settings, kill_switch, people):
    settings.TWO_PEOPLE = [THROW]
    person("second", "operators")


def ask(client, who, name=THROW, **given):
    from django.contrib.auth.models import User

    client.force_login(User.objects.get(username=who))
    return client.post(reverse("act", args=[name]), {"password": PASSWORD, "why": f"{who} says so", **given})


def test_one_asks_and_another_confirms(client, kill_switch):
    assert ask(client, "operator", word="STOP").status_code == 302
    assert not kill_switch.exists()
    (need,) = [each for each in overview().needs if each.button == "Look at it"]
    assert need.text == "operator asks for “Throw the kill switch”."
    proposal = Proposal.objects.get()
    shown = client.get(need.url)
    assert shown.context["proposal"] == proposal
    assert ask(client, "second", word="STOP", proposal=str(proposal.pk)).status_code == 302
    assert "second says so (asked for by operator: operator says so)" in kill_switch.read_text()
    done, begun = Act.objects.all()
    assert [(each.user, each.name) for each in (begun, done)] == [("operator", "proposal.ask"), ("second", THROW)]
    assert done.outcome.is_done
    assert not [each for each in overview().needs if "asks for" in each.text]
    kill_switch.unlink()
    assert ask(client, "administrator", word="STOP", proposal=str(proposal.pk)).status_code == 302  # a new proposal
    assert not kill_switch.exists()
    assert Proposal.objects.count() == 2


def test_nobody_confirms_what_they_have_asked_for_themselves(client, kill_switch):
    ask(client, "operator", word="STOP")
    proposal = Proposal.objects.get()
    ask(client, "operator", word="STOP", proposal=str(proposal.pk))
    assert not kill_switch.exists()
    refused = Act.objects.select_related("outcome").first()
    assert not refused.outcome.is_done
    assert "somebody else has to confirm it" in refused.outcome.text
    proposal.refresh_from_db()
    assert proposal.closed_at is None


def test_the_word_is_typed_by_both(client, kill_switch):
    assert ask(client, "operator", word="stop").status_code == 422
    ask(client, "operator", word="STOP")
    proposal = str(Proposal.objects.get().pk)
    assert ask(client, "second", word="", proposal=proposal).status_code == 422
    assert not kill_switch.exists()


def test_what_was_asked_for_an_hour_ago_is_not_confirmed(client, kill_switch):
    ask(client, "operator", word="STOP")
    Proposal.objects.update(at=datetime.now(UTC) - timedelta(minutes=61))
    ask(client, "second", word="STOP", proposal=str(Proposal.objects.get().pk))
    assert not kill_switch.exists()
    assert Proposal.objects.count() == 2  # that of the second person, who has asked anew


def test_a_proposal_of_one_act_confirms_no_other(client, settings, kill_switch):
    settings.TWO_PEOPLE = [THROW, "feed.stop"]
    ask(client, "operator", name="feed.stop", feed="oanda")
    proposal = str(Proposal.objects.get().pk)
    ask(client, "second", word="STOP", proposal=proposal)
    assert not kill_switch.exists()
    ask(client, "second", name="feed.stop", feed="other", proposal=proposal)
    assert Proposal.objects.filter(closed_at=None).count() == 3


def test_it_is_declined_with_a_reason(client, kill_switch):
    ask(client, "operator", word="STOP")
    proposal = str(Proposal.objects.get().pk)
    assert ask(client, "second", name="proposal.decline", proposal=proposal).status_code == 302
    ask(client, "administrator", word="STOP", proposal=proposal)
    assert not kill_switch.exists()
    assert Proposal.objects.get(pk=proposal).closed_by == "second"
    assert client.get(reverse("act", args=["proposal.decline"]), {"proposal": "no id"}).status_code == 422


def test_a_program_does_not_go_round_it(kill_switch):
    became = carried_out(Actor("a key", None), KINDS[THROW], {}, "prices", "r1")
    assert became.error is not None
    assert "needs two people" in became.outcome.text
    assert not kill_switch.exists()
