"""Markets: the windows that a chart asks for, and what is marked on it."""

import json
import time

import numpy as np
import pytest
from django.urls import reverse

from apps.feeds.models import Instrument
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from tests.integration.console.conftest import ALL
from tests.integration.console.test_overview import queries, read
from tests.integration.feeds.conftest import own_data_folder  # noqa: F401  (a fixture for all)
from tests.integration.feeds.test_history import EUR, store_bars
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random
from tests.unit.execution.desk import EURUSD

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)


@pytest.fixture
def viewer(client, people):
    client.force_login(people["viewer"])
    return client


def test_a_chart_gets_the_window_that_it_asks_for_with_averages_from_before_it(viewer, tmp_path):
    store_bars(tmp_path, range(90))
    path = reverse("bars", args=[EUR])
    everything = json.loads(viewer.get(path, {"interval": "1h", "averages": "sma20"}).content)
    assert len(everything["time"]) > 80  # the session is closed in between
    assert everything["averages"]["sma20"][:19] == [None] * 19
    assert everything["averages"]["sma20"][19] == pytest.approx(np.mean(everything["close"][:20]))
    window = json.loads(
        viewer.get(path, {"interval": "1h", "averages": "sma20", "count": 30, "before": everything["time"][80]}).content
    )
    assert window["time"] == everything["time"][50:80]
    assert window["averages"]["sma20"] == pytest.approx(everything["averages"]["sma20"][50:80])
    assert window["has_earlier"]


def test_a_window_that_cannot_be_is_told(viewer, tmp_path):
    store_bars(tmp_path, range(3))
    for asked, words in (
        ({"interval": "3m"}, "interval"),
        ({}, "interval"),
        ({"interval": "1h", "count": "0"}, "count"),
        ({"interval": "1h", "count": "many"}, "count"),
        ({"interval": "1h", "before": "now"}, "before"),
    ):
        answer = viewer.get(reverse("bars", args=[EUR]), asked)
        assert answer.status_code == 400, asked
        assert words in answer.json()["problem"]


def test_marks_are_all_fills_and_all_that_sets_wanted():
    desk = RecordedDesk()
    desk.now_ns = time.time_ns() - 100 * HOUR_NS
    begins = desk.now_ns
    trade_at_random(desk, 7, rounds=12)
    desk.close_bar(EURUSD, 112_900, 112_910)
    read(desk)
    fills = [each for each in reporting.fills(Scope(instrument=EURUSD.id), 10_000) if each.kind == "filled"]
    marks = reporting.fill_marks(EURUSD.id, begins, time.time_ns(), HOUR_NS, 1000)
    assert sum(each.fills for each in marks) == len(fills) > 0
    assert sum(each.bought_lots for each in marks) == pytest.approx(sum(each.lots for each in fills if each.lots > 0))
    assert sum(each.sold_lots for each in marks) == pytest.approx(sum(each.lots for each in fills if each.lots < 0))
    said = reporting.signals(Scope(instrument=EURUSD.id), 1000)
    wanted = reporting.target_marks(EURUSD.id, begins, time.time_ns(), 1000)
    assert sorted((each.at_ns, each.set, each.value) for each in wanted) == sorted(
        (each.said_at_ns, each.set, each.value) for each in said
    )
    order = reporting.orders(Scope(instrument=EURUSD.id), 1)[0]
    quote = reporting.quote_of(order)
    assert quote is not None
    assert 0 < quote.bid < quote.ask


def test_pages_of_markets_take_a_constant_number_of_queries(viewer):
    Instrument.objects.create(id="SIM:A")
    few = queries(viewer, reverse("markets"))
    for at in range(8):
        Instrument.objects.create(id=f"SIM:B{at}")
    assert queries(viewer, reverse("markets")) == few
    assert viewer.get(reverse("instrument", args=["SIM:A"])).status_code == 200
    assert viewer.get(reverse("instrument", args=["SIM:NONE"])).status_code == 404
