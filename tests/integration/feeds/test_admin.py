"""The admin pages of market data."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from apps.feeds.models import Import, QuarantinedRecord, Series
from tests.integration.feeds.conftest import bar_lines

pytestmark = pytest.mark.django_db(databases=["default", "feeds"])


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("someone", password="x"))
    return client


@pytest.fixture
def imported(instrument, write_bars, load) -> None:
    lines = bar_lines(50)
    lines[7] = "rubbish"
    load(write_bars(lines))


@pytest.mark.parametrize("page", ["instrument", "series", "import", "quarantinedrecord", "factor"])
def test_each_page_lists_its_rows(client: Client, imported: None, page: str) -> None:
    answer = client.get(f"/admin/feeds/{page}/")
    assert answer.status_code == 200
    shown = {"instrument": "TEST:WALK", "series": "1m", "import": "bars.csv", "quarantinedrecord": "rubbish"}
    assert shown.get(page, "") in answer.content.decode()


def test_what_imports_wrote_can_be_looked_at_and_not_changed(client: Client, imported: None) -> None:
    rows = {"series": Series.objects.get(), "import": Import.objects.get()}
    rows["quarantinedrecord"] = QuarantinedRecord.objects.get(reason="unreadable")
    for page, row in rows.items():
        assert client.get(f"/admin/feeds/{page}/{row.pk}/change/").status_code == 200
        assert client.post(f"/admin/feeds/{page}/{row.pk}/change/", {}).status_code == 403
        assert client.post(f"/admin/feeds/{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert client.get(f"/admin/feeds/{page}/add/").status_code == 403


def test_an_instrument_is_added_by_hand_and_checked(client: Client) -> None:
    fields = {
        "id": "MY:OWN", "asset_class": "crypto", "currency": "USD", "tick_size": "0.01",
        "lot_step": "0", "lot_min": "0",
        "contract_size": "1", "margin_rate": "0", "calendar": "24x7", "time_zone": "UTC", "day_turn_minutes": "0",
    }  # fmt: skip
    wrong = client.post("/admin/feeds/instrument/add/", fields | {"time_zone": "Mars"})
    assert "is not a time zone" in wrong.content.decode()
    assert client.post("/admin/feeds/instrument/add/", fields).status_code == 302
    from apps.feeds.interface import get_instrument

    assert get_instrument("MY:OWN").tick_size == 0.01
