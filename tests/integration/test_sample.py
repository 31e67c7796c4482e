"""The sample of a first look, removed as a whole: where there is nothing else, and nothing runs."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.console.models import Act
from apps.demo import sample
from apps.demo.sample import SampleError
from apps.execution.interface import NewAccount, open_accounts
from apps.execution.models import Account
from apps.feeds.models import Feed, Instrument
from apps.reporting import models as reporting
from apps.signals.models import StrategySet
from banyan.models import Key, Request

CONTEXTS = ["default", "feeds", "signals", "execution", "risk", "edge", "reporting"]
pytestmark = pytest.mark.django_db(databases=CONTEXTS, transaction=True)


@pytest.fixture(autouse=True)
def traded(settings, tmp_path):
    """What is left of a sample that was traded on: an account, a feed, a set, read models, the paper broker's past."""
    settings.PAPER_DIR = tmp_path / "paper"
    settings.PAPER_DIR.mkdir()
    (settings.PAPER_DIR / "past").write_text("fills")
    open_accounts([NewAccount(id="CEDAR-01", client="cedar", deposit=1e3)])
    Feed.objects.using("feeds").create(id="oanda", definition={"source": "replay"})
    Instrument.objects.using("feeds").create(id="TEST:KEPT")
    StrategySet.objects.using("signals").create(id="trend", definition={})
    reporting.Account.objects.using("reporting").create(
        number=1, id="CEDAR-01", client="cedar", broker="paper", currency="USD", time_zone="UTC", deposit_micro=0,
        opened_at_ns=0,
    )  # fmt: skip


def test_it_goes_with_all_that_was_traded_on_it_and_prices_and_records_stay(settings, people_of_the_house):
    assert "are removed" in sample.remove()
    for table, alias in (
        (Account, "execution"), (Request, "execution"), (Feed, "feeds"), (StrategySet, "signals"),
        (reporting.Account, "reporting"),
    ):  # fmt: skip
        assert not table.objects.using(alias).exists(), table
    assert not settings.PAPER_DIR.exists()
    assert Instrument.objects.using("feeds").filter(pk="TEST:KEPT").exists()
    assert people_of_the_house.username == "ann"
    assert Act.objects.count() == 0
    assert sample.remove() == "There is no sample."


@pytest.fixture
def people_of_the_house(django_user_model):
    return django_user_model.objects.create_user("ann")


@pytest.mark.parametrize("what", ["account", "set", "feed"])
def test_where_there_is_anything_else_nothing_is_removed(settings, what):
    if what == "account":
        open_accounts([NewAccount(id="OWN-1", client="own", deposit=1e3)])
    elif what == "set":
        StrategySet.objects.using("signals").create(id="own", definition={})
    else:
        Feed.objects.using("feeds").create(id="own", definition={"source": "tail"})
    with pytest.raises(SampleError, match=f"{what} (OWN-1|own)"):
        sample.remove()
    assert Account.objects.using("execution").filter(pk="CEDAR-01").exists()
    assert settings.PAPER_DIR.exists()


def test_while_somebody_holds_a_key_nothing_is_removed():
    until = timezone.now() + timedelta(seconds=30)
    Key.objects.using("execution").create(key="00", owner="one", lease_until=until)
    with pytest.raises(SampleError, match="the pipeline runs"):
        sample.remove()
    assert Account.objects.using("execution").exists()
