"""The board of the extraction: who sees it, what it tells, and that nothing moves before everything is so."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.urls import reverse

from apps.console.models import Act
from banyan.facade.models import Comparison, Mismatch, Route, Rule
from banyan.facade.routing import routing_of
from banyan.kafka import Cluster
from extract.board.urls import urlpatterns
from extract.comparator.shapes import SHAPES
from tests.integration.console.conftest import ALL, PASSWORD
from tests.integration.console.test_access import ACTS, PAGES, visit

pytestmark = pytest.mark.django_db(databases=ALL)
MOVE = {"context": "risk", "stage": "shadow", "percent": "", "why": "a test", "word": "MOVE"}


@pytest.fixture(autouse=True)
def forget_services():
    """Services' databases are made known when they are asked for, and tests after these know of none."""
    yield
    for context in SHAPES:
        connections.settings.pop(f"{context}_service", None)


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


@pytest.mark.parametrize("name", [each.name for each in urlpatterns])
def test_pages_open_for_those_who_may_see_the_console(client, people, name):
    path = reverse(name, args={"extraction": [], "extraction-fixture": ["risk", 987_654_321]}.get(name, ["risk"]))
    seen = {who: visit(client, user, path) for who, user in people.items()}
    of_nothing = ACTS | {"operator": 404, "administrator": 404}
    assert seen == (of_nothing if name == "extraction-fixture" else PAGES)


@pytest.mark.parametrize(
    "query", ["extraction.promote/?context=risk&stage=shadow&percent=", "extraction.back/?context=risk"]
)
def test_only_operators_are_asked_whether_they_mean_it(client, people, query):
    Route.objects.using("facade").create(context="risk", stage="shadow", version=1)
    assert {who: visit(client, user, f"/act/{query}") for who, user in people.items()} == ACTS


def test_a_context_stays_where_it_is_until_everything_is_so(operator, settings):
    settings.KAFKA = Cluster(environment="test")  # other tests have one that runs
    plan = operator.get(reverse("extraction-plan", args=["risk"]))
    assert [(each.name, each.is_so) for each in plan.context["found"]] == [("Kafka answers", False)]
    assert not plan.context["is_ready"]
    assert operator.post("/act/extraction.promote/", MOVE | {"password": PASSWORD}).status_code == 302
    assert routing_of("risk").stage == "inprocess"
    act = Act.objects.select_related("outcome").get()
    assert (act.before["stage"], act.outcome.is_done) == ("inprocess", False)
    assert "risk stays in stage inprocess: Kafka answers" in act.outcome.text


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"context": "reporting"}, "reporting cannot be carved out yet"),
        ({"stage": "moon"}, "no stage 'moon'"),
        ({"stage": "canary", "percent": "all"}, "percentage"),
        ({"stage": "canary", "percent": "0"}, "0 is no percentage"),
    ],
)
def test_what_cannot_be_is_told_before_it_is_asked_for(operator, asked, words):
    answer = operator.get("/act/extraction.promote/", MOVE | asked)
    assert answer.status_code == 422
    assert words in answer.context["problem"]


def test_without_a_service_every_key_is_the_apps(operator):
    board = operator.get(reverse("extraction"))
    assert [each.context for each in board.context["rows"]] == list(SHAPES)
    assert not any(each.wrong for each in board.context["rows"])
    assert "risk_service" not in connections.settings


def test_there_is_no_way_back_from_the_app(operator):
    answer = operator.get("/act/extraction.back/", {"context": "risk"})
    assert answer.status_code == 422
    assert "in the app already" in answer.context["problem"]


def test_differences_are_told_field_by_field_and_counted(operator):
    now = datetime.now(UTC)
    Route.objects.using("facade").create(context="risk", stage="shadow", version=1)
    Comparison.objects.using("facade").create(
        context="risk", key="00", minute=now, same=99, differing=1, leader_ns=200_000_000, follower_ns=300_000_000
    )
    Mismatch.objects.using("facade").create(
        context="risk", key="00", number=7, cause="c", input="i", at=now, kind="mismatched",
        event="risk.orders-refused.v1", account=3, instrument="SIM:EURUSD", fields={"bound": [5, 6]}, lots=0.5,
        money=123.0, events=[],
    )  # fmt: skip
    Rule.objects.using("facade").create(
        name="late", context="risk", event="*", field="at_ns", owner="me", why="clocks", expires_at=now + timedelta(1)
    )
    page = operator.get(reverse("extraction-context", args=["risk"]))
    text = page.content.decode()
    assert "bound: 5 → 6" in text
    assert "123.00" in text
    assert "clocks" in text
    hour = page.context["of"].hour
    assert (hour.records, hour.rate, hour.leader_ms, hour.follower_ms) == (100, 1.0, 2.0, 3.0)
    address = reverse("extraction-fixture", args=["risk", Mismatch.objects.using("facade").get().pk])
    assert address in text
    gone = operator.get(address)  # of a record that no log has any more
    assert gone.status_code == 404
    assert "the log that is here has no record 7 any more" in gone.context["text"]
