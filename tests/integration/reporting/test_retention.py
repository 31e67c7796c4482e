from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections

from apps.reporting.models import Fill, Order, Quote
from apps.reporting.retention import retain, unread
from banyan.timescale import ensure_partitions
from banyan.timescale.partitions import partitions_of
from tests.integration.reporting.conftest import read_all
from tests.integration.reporting.recorded import SHARD
from tests.unit.execution.desk import EURUSD

pytestmark = pytest.mark.django_db(databases=["reporting"], transaction=True)


@pytest.fixture
def traded(desk, follower):
    desk.open(1)
    desk.configure("trend", EURUSD)
    desk.subscribe("trend", 1)
    desk.close_bar()
    for model in (Fill, Quote):
        ensure_partitions(connections["reporting"], model, desk.now_ns, desk.now_ns)
    desk.trade(desk.target("trend", 1, EURUSD=0.1))
    desk.target("trend", 2, EURUSD=0.2)  # requested, and open ever since
    desk.subscribe("trend", 7)  # refused
    read_all(follower)
    return desk


def when(desk, days):
    return datetime.fromtimestamp(desk.now_ns / 1e9, UTC) + timedelta(days=days)


def test_what_is_old_goes_table_by_table_and_open_orders_stay(traded):
    assert not [each for each in retain(when(traded, 89), is_dry=False) if "20260302" in each]
    gone = list(retain(when(traded, 98), is_dry=True))
    assert list(retain(when(traded, 98), is_dry=False)) == gone
    assert len(gone) == 1
    assert gone[0].startswith("reporting_quote_2026")
    assert not Quote.objects.using("reporting").exists()
    assert {"1 orders", "1 unmet requests"} <= set(retain(when(traded, 401), is_dry=True))
    assert {"1 orders", "1 unmet requests"} <= set(retain(when(traded, 401), is_dry=False))
    assert Order.objects.using("reporting").get().steps == 10
    assert Fill.objects.using("reporting").count() == 1
    assert any("reporting_fill_" in each for each in retain(when(traded, 3_800), is_dry=False))
    assert not Fill.objects.using("reporting").exists()
    assert partitions_of(connections["reporting"], Fill), "the partitions of the coming weeks are made"


def test_a_log_stays_until_whoever_follows_it_has_read_it(traded):
    told = unread({"reporting": ("execution",), "books": ("execution",)})
    number = traded.execution.heads()[SHARD]
    assert told("execution", SHARD, number + 1) == f"reporting has not read record {number + 1} of key {SHARD}"
    assert told("execution", SHARD, number) == f"books has not read record {number} of key {SHARD}"
    assert told("risk", SHARD, number) == ""
