"""Each page of the console and each call of the API asks the databases the same number of things, whatever there is.

All statements are counted, of all databases and threads: those of little of everything, then of much more of it.
"""

import time
import uuid

import psycopg
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.api.keys import Wanted, make
from apps.api.urls import urlpatterns as calls
from apps.console import overview
from apps.console.models import Act, Outcome
from apps.console.urls import urlpatterns as pages
from apps.execution.interface import NewAccount, open_accounts
from apps.feeds.models import Feed, FeedReport, Instrument
from apps.reporting import interface as reporting
from apps.reporting import kept
from apps.reporting import overview as lately
from apps.reporting.interface import Scope
from apps.signals.interface import NewMember, define_set
from banyan.codec import Envelope, encode_envelope
from banyan.models import DeadLetter
from tests.integration.api.conftest import ALL
from tests.integration.api.test_access import TABLE as WHO_CALLS
from tests.integration.console.conftest import kill_switch, people, person  # noqa: F401  (fixtures)
from tests.integration.console.test_access import TABLE as WHO_SEES
from tests.integration.console.test_overview import read
from tests.integration.reporting.recorded import HOUR_NS, RecordedDesk
from tests.integration.reporting.test_read_models import trade_at_random

pytestmark = [pytest.mark.django_db(databases=ALL, transaction=True), pytest.mark.usefixtures("kill_switch")]
LITTLE, MUCH = 3, 40
EURO = "SIM:EURUSD"
SCOPES = ("read", "trade", "research", "operate", "extract")
ASIDE = {"stream", "api-stream"}  # which do not end
ASKED = {
    "compare": "?run=one&run=two", "alert-rule": "?measure=lag", "find": "?q=a", "set-edit": "?set=set-0&member=0",
    "api-bars": "?interval=1h", "api-runs-compared": "?runs=one,two",
}  # fmt: skip


class Statements:
    """Counts what is asked of databases by psycopg."""

    def __init__(self, monkeypatch) -> None:
        self.count = 0
        for name in ("execute", "executemany", "copy", "stream"):
            whole = getattr(psycopg.Cursor, name)

            def counted(cursor, *given, whole=whole, **options):
                self.count += 1
                return whole(cursor, *given, **options)

            monkeypatch.setattr(psycopg.Cursor, name, counted)

    def of(self, visit) -> tuple[int, int]:
        """Return the status of an answer, and how many statements it took."""
        before = self.count
        status = visit().status_code
        return status, self.count - before


@pytest.fixture
def desk():
    made = RecordedDesk()
    made.now_ns = time.time_ns() - 900 * HOUR_NS
    return made


def grow(desk, begin, end):
    """Let there be more of everything: of what is counted from `begin` to `end`, and of what was traded."""
    now = timezone.now()
    for at in range(begin, end):
        Instrument.objects.create(id=f"SIM:I{at}", tick_size=1e-5, lot_step=0.01, lot_min=0.01)
        Feed.objects.using("feeds").create(id=f"feed-{at}", definition={"source": "replay", "instruments": []})
        FeedReport.objects.using("feeds").create(feed_id=f"feed-{at}", reported_at=now, state="running")
        define_set(f"set-{at}", [NewMember("ema_cross", [(f"SIM:I{at}", "1h")], {"fast": 10, "slow": 50})])
        person(f"user-{at}", "viewers")
        make(Wanted(f"key-{at}", SCOPES))
        act = Act.objects.create(
            id=uuid.uuid4(), at=now, user="ann", name="trading.halt", subject="", why="x", before={}
        )
        Outcome.objects.create(act=act, at=now, is_done=True, text="done", after={})
        header = encode_envelope(Envelope(name="risk.check-orders.v1", id=f"m{at}", key="0"))
        letter = {"header": header, "body": b"{}", "reason": "r", "parked_at": now}
        DeadLetter.objects.using("risk").create(key="0", number=at + 1, **letter)
    open_accounts(NewAccount(id=f"X{at}", client=f"c{at}", deposit=1e3) for at in range(begin, end))
    trade_at_random(desk, begin, rounds=4 + end // 3)
    read(desk)


def address(addresses, name, known):
    """Return an address with what it names; "" where that is not known."""
    pattern = next(each for each in addresses if each.name == name).pattern
    if any(key not in known for key in pattern.converters):
        return ""
    return reverse(name, kwargs={key: known[key] for key in pattern.converters}) + ASKED.get(name, "")


def names_of_one(desk):
    """Return what addresses name, of something that there is."""
    order = reporting.orders(Scope(), 1)[0]
    letter = DeadLetter.objects.using("risk").first()
    return {
        "account": order.account, "instrument": order.instrument, "decision": order.decision, "set": "set-0",
        "feed": "feed-0", "strategy": "ema_cross", "context": "risk", "letter": letter.id,
    }  # fmt: skip


def test_pages_and_calls_take_as_many_statements_whatever_there_is(desk, client, people, monkeypatch):  # noqa: F811
    Instrument.objects.create(id=EURO, tick_size=1e-5, lot_step=0.01, lot_min=0.01)
    grow(desk, 0, LITTLE)
    client.force_login(people["administrator"])
    headers = {"Authorization": f"Bearer {make(Wanted('counter', SCOPES, calls_per_minute=100_000))[1]}"}
    found = names_of_one(desk)
    visits = {}
    for name in WHO_SEES.keys() - ASIDE:
        for path in {address(pages, name, found | {"name": each}) for each in ("set-0", "feed-0", "user-0")} - {""}:
            visits[path] = lambda path=path: client.get(path)
    for name in WHO_CALLS.keys() - ASIDE - {"api-missing"}:
        if path := address(calls, name, found):
            visits[path] = lambda path=path: Client().get(path, headers=headers)
    for module, lasts in ((kept, "_DAYS_TURN_SECONDS"), (lately, "_SPEED_NS"), (overview, "_SIZE_SECONDS")):
        monkeypatch.setattr(module, lasts, 10**30)  # none is over meanwhile
    statements = Statements(monkeypatch)
    for visit in visits.values():
        visit()  # what is asked once in a process
    before = {path: statements.of(visit) for path, visit in visits.items()}
    grow(desk, LITTLE, MUCH)
    for visit in visits.values():
        visit()  # what is asked anew since more was read
    after = {path: statements.of(visit) for path, visit in visits.items()}
    shown = {path for path, (status, _) in before.items() if status == 200}
    assert len(shown) > 70, sorted(visits.keys() - shown)
    assert {path: told for path, told in after.items() if told != before[path]} == {}
    assert max(count for _, count in before.values()) <= 60
