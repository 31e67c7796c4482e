"""Rows of files in quarantine, let in and given up by the API."""

from datetime import UTC, datetime

import orjson
import pytest
from django.test import Client
from django.utils import timezone

from apps.feeds.contracts import RecordQuarantined
from apps.feeds.models import Feed, Import, QuarantinedRecord
from apps.feeds.records import Kind
from apps.feeds.series import find_instrument, find_series
from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.host.delivery import join_events
from banyan.models import Key as LogKey
from banyan.models import Log
from tests.integration.api.conftest import ALL
from tests.integration.feeds.conftest import (  # noqa: F401
    FIRST,
    bar_lines,
    instrument,
    load,
    own_data_folder,
    write_bars,
)
from trading.intervals import HOUR, MINUTE

pytestmark = pytest.mark.django_db(databases=ALL)
RECORD = 987_654
RELEASE = {"values": {"high": "1.2"}, "reason": "checked"}
WRITES = {
    "api-quarantine-release": (f"quarantine/{RECORD}/release", RELEASE, "operate"),
    "api-quarantine-discard": (f"quarantine/{RECORD}/discard", {"reason": "junk"}, "operate"),
    "api-feed-quarantine-release": (
        "feeds/oanda/quarantine/1/0/release", {"reason": "checked"}, "operate, if it were there",
    ),
    "api-feed-quarantine-discard": (
        "feeds/oanda/quarantine/discard", {"records": [{"number": 1, "event": 0}], "reason": "junk"},
        "operate, if it were one",
    ),
}  # fmt: skip


def put_aside():
    """Put a bar of a file into quarantine, of which the high is below the low, and define a feed."""
    series = find_series(find_instrument("OANDA:EURUSD"), Kind.BARS, HOUR)
    QuarantinedRecord.objects.create(
        id=RECORD, source=Import.objects.create(series=series, path="eur.csv", digest="d"), line=2, reason="high-low",
        detail="high 1.0 is below low 1.05", time=datetime(2026, 3, 2, 10, tzinfo=UTC),
        values={"open": 1.1, "high": 1.0, "low": 1.05, "close": 1.1, "volume": 0.0},
    )  # fmt: skip
    Feed.objects.create(id="oanda", definition={"instruments": [], "source": "tail"})


def post(caller, path, body, key):
    headers = {"Authorization": f"Bearer {caller.key}", "Idempotency-Key": key}
    response = Client().post(f"/api/v1/{path}", orjson.dumps(body), content_type="application/json", headers=headers)
    return response.status_code, orjson.loads(response.content)


def test_a_record_is_let_in_corrected_and_once(callers):
    put_aside()
    path = f"quarantine/{RECORD}"
    operator = callers["operator"]
    bad = (
        ({"reason": "x"}, "high-low"), (RELEASE | {"values": {"high": "1.2", "bid": "1"}}, "no such column"),
        (RELEASE | {"time": "0001-01-01T00:00:00Z"}, "no rows of the year"),
    )  # fmt: skip
    for at, (body, words) in enumerate(bad):
        status, problem = post(operator, f"{path}/release", body, f"bad-{at}")
        assert (status, problem["code"]) == (422, "refused")
        assert words in problem["detail"]
    assert post(operator, f"{path}/release", RELEASE | {"values": {"high": 1.2}}, "k-0")[1]["code"] == "body-invalid"
    first, again = (post(operator, f"{path}/release", RELEASE, "k-1") for _ in range(2))
    assert first[0] == 202
    assert again == first
    row = orjson.loads(operator.get(path).content)
    assert (row["state"], row["released"]["high"], row["values"]["high"]) == ("released", "1.2", "1")
    assert row["decided_by"].endswith("(operator)")
    assert row["decided_why"] == "checked"
    (bar,) = orjson.loads(operator.get("instruments/OANDA:EURUSD/bars?interval=1h").content)["data"]
    assert (bar["time"], bar["high"]) == ("2026-03-02T10:00:00.000000000Z", "1.2")
    assert post(operator, f"{path}/discard", {"reason": "x"}, "k-2")[0] == 422
    assert operator.rows("quarantine?state=open") == []
    assert [each["id"] for each in operator.rows("quarantine?state=released")] == [RECORD]
    assert post(operator, "quarantine/1/discard", {"reason": "x"}, "k-3")[0] == 404
    assert post(operator, "feeds/none/quarantine/discard", {"records": [], "reason": "x"}, "k-4")[0] == 400


def put_aside_live(number, *records):
    """Let a record of the log of feed `oanda` say that records (as RecordQuarantined) were not let in."""
    Log.objects.using("feeds").create(
        key="oanda", number=number, written_at=timezone.now(), received_at_ns=number * 10**18, body=b"{}",
        header=encode_envelope(Envelope(name="feeds.quarantine-records.v1", id=str(number), key="oanda")),
        events=join_events([(RecordQuarantined.wire_name, encode_message(each)) for each in records]),
    )  # fmt: skip
    LogKey.objects.using("feeds").update_or_create(key="oanda", defaults={"number": number})


@pytest.mark.django_db(databases=ALL, transaction=True)
def test_a_record_of_a_live_feed_is_let_into_history_once(callers, instrument, write_bars, load):  # noqa: F811
    lines = bar_lines(200)
    _, opened, high, low, close, volume = lines.pop(50).split(",")
    load(write_bars(lines))
    Feed.objects.create(id="oanda", definition={"instruments": [], "source": "tail"})
    wrong = f"{float(high) * 3:.12g}"
    text = f"line 7: {opened}, {wrong}, {low}, {close}, {volume}"
    of = {"feed": "oanda", "instrument": "TEST:WALK", "reason": "jump"}
    put_aside_live(
        1, RecordQuarantined(record=text, event_time_ns=FIRST + 50 * MINUTE, **of),
        RecordQuarantined(record="not to be read", event_time_ns=FIRST + 51 * MINUTE, **of),
    )  # fmt: skip
    operator, path = callers["operator"], "feeds/oanda/quarantine/1/0"
    record = orjson.loads(operator.get(path).content)
    (series,) = record["series"]
    when = "2020-12-31T20:50:00Z"
    assert (series["name"], series["needed"][:2], series["time"]) == ("1m bars", ["open", "high"], when)
    assert (float(series["values"]["high"]), record["released"]) == (float(wrong), None)
    bad = (
        ({"values": {"high": "0.1"}}, 422, "high-low"), ({"series": "1h bars"}, 400, "Choose from 1m bars"),
        ({"values": {"bid": "1"}}, 422, "no such column"), ({"values": {"high": 1.2}}, 400, "as a string"),
        ({"time": "0001-01-01T00:00:00Z"}, 422, "no rows of the year"),
    )  # fmt: skip
    for at, (body, status, words) in enumerate(bad):
        found = post(operator, f"{path}/release", {"reason": "x", **body}, f"bad-{at}")
        assert (found[0], words in str(found[1])) == (status, True), found
    body = {"values": {"high": high}, "reason": "a digit too many"}
    first, again = (post(operator, f"{path}/release", body, "k-1") for _ in range(2))
    assert first[0] == 202, first
    assert again == first
    (bar,) = orjson.loads(operator.get(f"instruments/TEST:WALK/bars?interval=1m&start={when}&limit=1").content)["data"]
    assert (bar["time"][:20], float(bar["high"])) == (when[:-1] + ".", round(float(high), 9))
    decided = orjson.loads(operator.get(path).content)
    assert (decided["series"], float(decided["released"]["high"])) == ([], round(float(high), 9))
    assert (decided["decided_by"], decided["decided_why"]) == (
        f"key {operator.key[5:17]} (operator)", "a digit too many",
    )  # fmt: skip
    assert operator.rows("feeds/oanda/quarantine")[-1] == {
        name: value for name, value in decided.items() if name != "series"
    }
    assert "released already" in post(operator, f"{path}/release", body, "k-2")[1]["detail"]
    assert "0 records" in post(
        operator, "feeds/oanda/quarantine/discard", {"records": [{"number": 1, "event": 0}], "reason": "x"}, "k-3"
    )[1]["text"]  # fmt: skip
    assert "could not be read" in post(operator, f"{path[:-1]}1/release", {"reason": "x"}, "k-4")[1]["detail"]
    for at, wrong in enumerate(("oanda/quarantine/1/9", f"oanda/quarantine/{10**17}/0", "none/quarantine/1/0")):
        assert operator.get(f"feeds/{wrong}").status_code == 404
        assert post(operator, f"feeds/{wrong}/release", {"reason": "x"}, f"none-{at}")[0] == 404


@pytest.mark.django_db(databases=ALL, transaction=True)
def test_records_of_a_live_feed_are_looked_at_page_by_page_and_given_up_once(callers):
    Feed.objects.create(id="oanda", definition={"instruments": [], "source": "tail"})
    made = [
        RecordQuarantined(feed="oanda", instrument="OANDA:EURUSD", reason=reason, record=f"bid {at}", event_time_ns=at)
        for at, reason in enumerate(("late", "bid-above-ask", "jump"))
    ]
    put_aside_live(1, *made[:1])
    put_aside_live(2, *made[1:])
    operator, path = callers["operator"], "feeds/oanda/quarantine"
    rows = operator.rows(f"{path}?limit=1")
    assert [(row["number"], row["event"], row["reason"]) for row in rows] == [
        (2, 1, "jump"), (2, 0, "bid-above-ask"), (1, 0, "late"),
    ]  # fmt: skip
    assert {row["decided_at"] for row in rows} == {None}
    body = {"records": [{"number": 2, "event": 1}, {"number": 1, "event": 0}], "reason": "spikes"}
    first, again = (post(operator, f"{path}/discard", body, "k-1") for _ in range(2))
    assert first[0] == 202
    assert again == first
    rest = {"records": [{"number": 2, "event": 1}, {"number": 2, "event": 0}], "reason": "the rest"}
    assert "1 record" in post(operator, f"{path}/discard", rest, "k-2")[1]["text"]
    assert [row["decided_why"] for row in operator.rows(path)] == ["spikes", "the rest", "spikes"]
    assert {row["decided_by"] for row in operator.rows(path)} == {f"key {operator.key[5:17]} (operator)"}
    assert post(operator, "feeds/other/quarantine/discard", body, "k-3")[0] == 404
    assert post(callers["viewer"], f"{path}/discard", body, "k-4")[0] == 403
    assert operator.get("feeds/other/quarantine").status_code == 404
