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
from trading.intervals import HOUR

pytestmark = pytest.mark.django_db(databases=ALL)
RECORD = 987_654
RELEASE = {"values": {"high": "1.2"}, "reason": "checked"}
WRITES = {
    "api-quarantine-release": (f"quarantine/{RECORD}/release", RELEASE, "operate"),
    "api-quarantine-discard": (f"quarantine/{RECORD}/discard", {"reason": "junk"}, "operate"),
    "api-feed-quarantine-discard": (
        "feeds/oanda/quarantine/discard", {"records": [{"number": 1, "event": 0}], "reason": "junk"}, "operate",
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


@pytest.mark.django_db(databases=ALL, transaction=True)
def test_records_of_a_live_feed_are_looked_at_page_by_page_and_given_up_once(callers):
    Feed.objects.create(id="oanda", definition={"instruments": [], "source": "tail"})
    made = [
        RecordQuarantined(feed="oanda", instrument="OANDA:EURUSD", reason=reason, record=f"bid {at}", event_time_ns=at)
        for at, reason in enumerate(("late", "bid-above-ask", "jump"))
    ]
    for number, events in ((1, made[:1]), (2, made[1:])):
        Log.objects.using("feeds").create(
            key="oanda", number=number, written_at=timezone.now(), received_at_ns=number * 10**18, body=b"{}",
            header=encode_envelope(Envelope(name="feeds.quarantine-records.v1", id=str(number), key="oanda")),
            events=join_events([(RecordQuarantined.wire_name, encode_message(each)) for each in events]),
        )  # fmt: skip
    LogKey.objects.using("feeds").create(key="oanda", number=2)
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
