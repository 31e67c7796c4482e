"""Quarantine in the console: looked at, corrected, let in, given up, and each of it recorded."""

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.console.models import Act
from apps.feeds import interface as feeds
from apps.feeds import quarantined as feeds_quarantined
from apps.feeds.contracts import RecordQuarantined
from apps.feeds.interface import FeedStanding, read_bars
from apps.feeds.models import QuarantinedRecord
from apps.feeds.releasing_live import read_of
from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.host.delivery import join_events
from banyan.models import Key as LogKey
from banyan.models import Log
from tests.integration.console.conftest import ALL
from tests.integration.feeds.conftest import (  # noqa: F401
    FIRST,
    bar_lines,
    instrument,
    load,
    own_data_folder,
    write_bars,
)
from trading.intervals import MINUTE

pytestmark = pytest.mark.django_db(databases=ALL, transaction=True)


@pytest.fixture
def row(instrument, write_bars, load):  # noqa: F811
    """The number of a row whose high is below its low."""
    lines = bar_lines(200)
    time, opened, high, low, close, volume = lines[50].split(",")
    lines[50] = f"{time},{opened},{low},{high},{close},{volume}"
    load(write_bars(lines))
    return QuarantinedRecord.objects.get(reason="high-low").pk


@pytest.fixture
def operator(client, people):
    client.force_login(people["operator"])
    return client


def text_of(response):
    return response.content.decode()


def test_a_row_is_found_corrected_in_its_form_and_let_in(operator, row):
    listed = text_of(operator.get(reverse("quarantine")))
    assert "TEST:WALK 1m" in listed
    assert reverse("quarantined", args=[row]) in listed
    assert "No row is like that" in text_of(operator.get(reverse("quarantine"), {"instrument": "TEST:NONE"}))
    assert "1 open</strong>" in text_of(operator.get(reverse("quarantine"), {"reason": "high-low"}))
    path = reverse("quarantined", args=[row])
    found = feeds.quarantined_row(row)
    typed = {name: repr(value) for name, value in found.values.items()} | {"try": "1", "time": "2020-12-31T20:50:00Z"}
    wrong = operator.get(path, typed)
    assert wrong.status_code == 422
    assert "no record that can be let in (high-low)" in text_of(wrong)
    led_on = operator.get(path, typed | {"high": typed["low"], "low": typed["high"]})
    assert led_on.status_code == 302
    asked = operator.get(led_on.headers["Location"])
    assert "fits the rows that are stored before and after it" in text_of(asked)
    assert len(read_bars("TEST:WALK", "1m")) == 199
    posted = dict(asked.context["given"].items())
    assert operator.post(reverse("act", args=["quarantine.release"]), posted).status_code == 422  # without a reason
    operator.post(reverse("act", args=["quarantine.release"]), posted | {"why": "swapped by the vendor"})
    assert len(read_bars("TEST:WALK", "1m")) == 200
    act = Act.objects.get()
    assert (act.before["reason"], act.before["line"], act.outcome.is_done) == ("high-low", 52, True)
    assert act.outcome.after["high"] > act.outcome.after["low"]
    assert feeds.quarantined_row(row).decided_by == "operator"
    assert "Released by operator" in text_of(operator.get(path))
    again = operator.post(reverse("act", args=["quarantine.release"]), posted | {"why": "once more"})
    assert again.status_code == 302
    assert "released already" in Act.objects.order_by("-at").first().outcome.text


def test_a_viewer_sees_the_row_and_is_offered_no_act(client, people, row):
    client.force_login(people["viewer"])
    for path in (reverse("quarantine"), reverse("quarantined", args=[row])):
        assert "/act/" not in text_of(client.get(path)), path
    assert client.post(reverse("act", args=["quarantine.discard"]), {"record": row, "why": "x"}).status_code == 403
    assert feeds.quarantined_row(row).state == "open"


def test_what_was_found_is_discarded_together(operator, row):
    asked = {"instrument": "TEST:WALK", "reason": "high-low", "file": "", "count": "2"}
    path = reverse("act", args=["quarantine.discard-all"])
    shown = operator.get(path, asked)
    assert (shown.status_code, "it finds 1 open record now" in text_of(shown)) == (422, True)
    operator.post(path, asked | {"count": "1", "why": "junk", "word": "DISCARD"})
    assert feeds.quarantined_row(row).decided_why == "junk"
    assert Act.objects.get().outcome.text == "1 record discarded."


@pytest.fixture
def live(monkeypatch):
    """A feed that has put three records aside, in two steps of its log."""
    standing = FeedStanding("oanda", "running", "replay", ("OANDA:EURUSD",), None, 10, 2, 3, "")
    monkeypatch.setattr("apps.console.quarantine.feeds.feed_standings", lambda: [standing])
    made = [
        RecordQuarantined(feed="oanda", instrument="OANDA:EURUSD", reason=reason, record=f"bid {at}", event_time_ns=1)
        for at, reason in enumerate(("late", "bid-above-ask", "jump"))
    ]
    for number, events in ((1, made[:1]), (2, made[1:])):
        Log.objects.using("feeds").create(
            key="oanda", number=number, written_at=timezone.now(), received_at_ns=number * 10**18, body=b"{}",
            header=encode_envelope(Envelope(name="feeds.quarantine-records.v1", id=str(number), key="oanda")),
            events=join_events([(RecordQuarantined.wire_name, encode_message(each)) for each in events]),
        )  # fmt: skip
    LogKey.objects.using("feeds").create(key="oanda", number=2)


@pytest.mark.usefixtures("live")
def test_records_of_a_live_feed_are_looked_at_and_given_up(operator):
    path = reverse("feed-quarantine", args=["oanda"])
    shown = operator.get(path)
    assert [(each.number, each.event, each.reason) for each in shown.context["rows"]] == [
        (2, 1, "jump"), (2, 0, "bid-above-ask"), (1, 0, "late"),
    ]  # fmt: skip
    assert shown.context["open"] == "2.1,2.0,1.0"
    assert [each.number for each in operator.get(path, {"before": "2.0"}).context["rows"]] == [1]
    discard = reverse("act", args=["quarantine.discard-live"])
    assert operator.post(discard, {"feed": "oanda", "places": "2.0;1", "why": "x"}).status_code == 302
    operator.post(discard, {"feed": "oanda", "places": "2.0,2.7", "why": "one that is none"})
    operator.post(discard, {"feed": "oanda", "places": "2.1,1.0", "why": "spikes"})
    operator.post(discard, {"feed": "oanda", "places": "2.1,2.0", "why": "the rest"})
    assert [each.decided_why for each in operator.get(path).context["rows"]] == ["spikes", "the rest", "spikes"]
    assert [act.outcome.is_done for act in Act.objects.order_by("at")] == [False, False, True, True]
    assert "1 record of feed" in Act.objects.order_by("-at").first().outcome.text
    assert operator.get(reverse("feed-quarantine", args=["none"])).status_code == 404


def live_record(text, *, event_time_ns=0, reason="jump"):
    made = RecordQuarantined(
        feed="oanda", instrument="TEST:WALK", reason=reason, record=text, event_time_ns=event_time_ns
    )  # fmt: skip
    Log.objects.using("feeds").create(
        key="oanda", number=1, written_at=timezone.now(), received_at_ns=10**18, body=b"{}",
        header=encode_envelope(Envelope(name="feeds.quarantine-records.v1", id="1", key="oanda")),
        events=join_events([(RecordQuarantined.wire_name, encode_message(made))]),
    )  # fmt: skip
    LogKey.objects.using("feeds").create(key="oanda", number=1)


@pytest.fixture
def feed(monkeypatch):
    standing = FeedStanding("oanda", "running", "replay", ("TEST:WALK",), None, 10, 2, 3, "")
    monkeypatch.setattr("apps.console.quarantine.feeds.feed_standings", lambda: [standing])


@pytest.mark.usefixtures("feed")
def test_a_record_of_a_live_feed_is_corrected_and_history_gets_it(operator, instrument, write_bars, load):  # noqa: F811
    lines = bar_lines(200)
    _, opened, high, low, close, volume = lines.pop(50).split(",")
    load(write_bars(lines))
    at_ns = FIRST + 50 * MINUTE
    wrong = f"{float(high) * 3:.12g}"
    live_record(f"line 7: {opened}, {wrong}, {low}, {close}, {volume}", event_time_ns=at_ns)
    path = reverse("feed-quarantined", args=["oanda", 1, 0])
    assert path in text_of(operator.get(reverse("feed-quarantine", args=["oanda"])))
    shown = operator.get(path)
    assert [each.name for each in shown.context["series"]] == ["1m bars"]
    read = {name: text for name, text, _ in shown.context["columns"]}
    assert (float(read["high"]), read["volume"]) == (float(wrong), repr(float(volume)))
    assert shown.context["time"] == "2020-12-31T20:50:00Z"
    typed = read | {"try": "1", "series": str(shown.context["chosen"].id), "time": shown.context["time"]}
    refused = operator.get(path, typed | {"high": "0.1"})
    assert refused.status_code == 422
    assert "(high-low)" in text_of(refused)
    jumps = operator.get(path, typed | {"high": repr(float(wrong) + 1), "close": wrong})
    assert "(jump)" in text_of(jumps)
    led_on = operator.get(path, typed | {"high": high})
    assert led_on.status_code == 302
    asked = operator.get(led_on.headers["Location"])
    assert "fits the rows that are stored before and after it" in text_of(asked)
    assert "Bars that have closed live stay as they are" in text_of(asked)
    assert len(read_bars("TEST:WALK", "1m")) == 199
    posted = dict(asked.context["given"].items())
    operator.post(reverse("act", args=["quarantine.release-live"]), posted | {"why": "a digit too many"})
    bars = read_bars("TEST:WALK", "1m")
    assert (len(bars), bars.high[50]) == (200, float(high))
    of = feeds.quarantined_live_row("oanda", 1, 0)
    assert (of.decided_by, of.decided_why, of.released["high"]) == ("operator", "a digit too many", float(high))
    assert "a digit too many" in text_of(operator.get(path))
    operator.post(reverse("act", args=["quarantine.release-live"]), posted | {"why": "once more"})
    assert "released already" in Act.objects.order_by("-at").first().outcome.text
    operator.post(reverse("act", args=["quarantine.discard-live"]), {"feed": "oanda", "places": "1.0", "why": "x"})
    assert feeds.quarantined_live_row("oanda", 1, 0).released is not None
    assert operator.get(reverse("feed-quarantined", args=["oanda", 1, 1])).status_code == 404
    assert operator.get(reverse("feed-quarantined", args=["oanda", 2**70, 0])).status_code == 404


@pytest.mark.usefixtures("feed")
def test_a_record_that_is_true_is_let_in_as_it_was_read_though_it_jumps(operator, instrument, write_bars, load):  # noqa: F811
    lines = bar_lines(200)
    lines.pop(50)
    load(write_bars(lines))
    live_record("line 7: 300, 300.5, 299.5, 300, 12", event_time_ns=FIRST + 50 * MINUTE)
    path = reverse("feed-quarantined", args=["oanda", 1, 0])
    shown = operator.get(path)
    typed = {name: text for name, text, _ in shown.context["columns"]} | {"try": "1", "time": shown.context["time"]}
    asked = operator.get(operator.get(path, typed).headers["Location"])
    assert "with this you say that it is true" in text_of(asked)
    posted = dict(asked.context["given"].items()) | {"why": "the bank moved"}
    operator.post(reverse("act", args=["quarantine.release-live"]), posted)
    assert read_bars("TEST:WALK", "1m").close[50] == 300.0


@pytest.mark.usefixtures("feed")
def test_what_cannot_be_read_is_typed_and_without_history_there_is_nowhere_to_let_it(operator, instrument):  # noqa: F811
    live_record("line 9: 2 columns: a,b", reason="unreadable")
    shown = operator.get(reverse("feed-quarantined", args=["oanda", 1, 0]))
    assert "there is no history that could get it" in text_of(shown)


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("line 7: 1.1, 1.2, nan, nan", "ticks", {"bid": 1.1, "ask": 1.2}),
        ("line 7: nan, nan, 1.5, 3", "ticks", {"last": 1.5, "size": 3.0}),
        ("line 9: 2 columns: a,b", None, {}),
        ("3 ticks for bars that are final, the last of 5", None, {}),
        ("line 1: high < low: 1, 2, 3, 4", None, {}),
        ("line 1: 1, 2", None, {}),
    ],
)
def test_the_text_of_a_live_record_tells_its_columns_where_it_can(text, kind, values):
    found = feeds_quarantined.LiveQuarantined(0, 1, 0, "TEST:WALK", "jump", text, 0, 1, None, "", "", None)
    assert read_of(found) == (kind, values)
