"""Stored runs: listed, compared, and the way from one to a strategy set."""

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.urls import reverse

from apps.backtest.store import save
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import queries
from tests.integration.runs.conftest import made_result, request_of_spy  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


@pytest.fixture
def store(made_result, request_of_spy):  # noqa: F811
    """Store a run on daily bars with a parameter."""

    def store(fast: int) -> str:
        request = replace(request_of_spy, data=replace(request_of_spy.data, interval="1d"))
        result = replace(made_result, params={"fast": fast, "slow": 50})
        return save(result, request, source="").short_id

    return store


def test_a_run_has_its_equity_from_first_to_last_and_leads_to_the_form_of_a_set(operator, store, made_result):  # noqa: F811
    run = store(20)
    points = json.loads(operator.get(reverse("curve", args=[run])).content)
    assert len(points) == 300
    assert points[0] == [made_result.time[0] // 10**9, round(made_result.equity[0], 2)]
    assert points[-1] == [made_result.time[-1] // 10**9, round(made_result.equity[-1], 2)]
    page = operator.get(reverse("run", args=[run]))
    asked = dict(parse_qsl(urlsplit(page.context["trade"]).query))
    assert asked == {"strategy": "sma_cross", "channels": "X:A@1d", "p.fast": "20", "p.slow": "50"}
    form = operator.get(page.context["trade"])
    assert {each.name: str(each.value) for each in form.context["fields"]}["fast"] == "20"
    assert form.context["channels"] == "X:A@1d"


def test_runs_side_by_side_say_in_what_they_differ(operator, store):
    runs = [store(20), store(25)]
    page = operator.get(reverse("compare"), {"run": runs})
    assert [each.id for each in page.context["runs"]] == runs
    differing = {row.name: row.values for row in page.context["facts"] if not row.is_same}
    assert differing == {"fast": [20, 25]}
    assert operator.get(reverse("compare"), {"run": runs[:1] * 2}).status_code == 422
    assert operator.get(reverse("compare"), {"run": [runs[0], "nothing"]}).status_code == 404


def test_every_run_is_on_one_page_of_the_list_and_queries_stay(operator, store, monkeypatch):
    monkeypatch.setattr("apps.console.research._A_PAGE", 2)
    runs = [store(fast) for fast in (5, 10, 15)]
    few = queries(operator, reverse("research"))
    runs += [store(fast) for fast in (20, 25)]
    assert queries(operator, reverse("research")) == few
    found, path = [], reverse("research")
    for _ in range(4):
        page = operator.get(path)
        found += [each.id for each in page.context["runs"]]
        if not page.context["next"]:
            break
        path = f"{reverse('research')}?{page.context['next']}"
    assert found == runs[::-1]
