"""A call is known by one id: in its answer, the audit, the log, the messages that come of it, and the way back."""

import io
import logging

import orjson
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.api.problems import Problem
from apps.api.resources import trading
from apps.console.interface import Beat
from apps.console.models import Act
from apps.execution.book_contracts import SkipReason
from apps.execution.contracts import PlaceManualOrder
from apps.execution.models import Account
from apps.reporting.models import Mark, Order, Unmet
from banyan import tracing
from banyan.codec import decode_envelope
from banyan.log_lines import OneLine
from banyan.models import Key as LogKey
from banyan.models import Log, Request, Seen
from tests.integration.api.conftest import ALL
from tests.integration.api.listening import FIRM, chunks_of, listener_of
from tests.integration.api.test_writes import ORDER, accounts, post  # noqa: F401  (a fixture)
from tests.integration.console.conftest import committed, people  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db(databases=ALL)
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def page(client, people):  # noqa: F811
    """Read a page of the console."""
    client.force_login(people["viewer"])
    return lambda name, *given: client.get(reverse(name, args=given)).content.decode()


def applied(request: Request, number: int) -> None:
    """Let a key apply a command, as it is kept when it has: the record and the id of one commit."""
    at = timezone.now()
    Seen.objects.using("execution").create(key=request.key, id=request.id, seen_at=at)
    Log.objects.using("execution").create(
        key=request.key, number=number, written_at=at, received_at_ns=1, header=bytes(request.header), body=b"{}",
        events=b"[]",
    )  # fmt: skip


def test_an_order_is_followed_from_the_id_of_its_call_to_its_message_and_back(callers, page):
    answer = post(callers["client one"], "orders", ORDER, **{"X-Request-Id": "mine-1"})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (202, "mine-1")
    (request,) = Request.objects.using("execution").all()
    envelope = decode_envelope(bytes(request.header))
    assert (envelope.name, envelope.trace) == (PlaceManualOrder.wire_name, "mine-1")
    (act,) = callers["operator"].rows("audit?request_id=mine-1")
    assert (act["id"], act["request_id"]) == (orjson.loads(answer.content)["act"], "mine-1")
    assert act["commands"] == [{"context": "execution", "key": request.key, "id": request.id}]
    assert callers["operator"].rows("audit?request_id=mine-2") == []
    assert f"execution/{request.key} has no record" in page("follow-request", "mine-1")
    Unmet.objects.create(
        shard=request.key, number=7, event=0, unmet_at_ns=1, command_id=request.id, command="place-manual-order",
        account=None, reason="it < cannot be", skip=0,
    )  # fmt: skip
    for name, at in (("follow-request", ["mine-1"]), ("audit", [])):
        assert '<span class="badge bad">refused</span> it &lt; cannot be' in page(name, *at)
    applied(request, 7)
    followed = page("follow-request", "mine-1")
    assert "order.place" in followed
    assert "has no record" not in followed
    assert reverse("step", args=["execution", request.key, 7]) in followed
    assert reverse("follow-request", args=["mine-1"]) in page("follow-step", "execution", request.key, 7)


def test_the_orders_that_came_of_a_write_are_found_by_its_version(callers):
    version = orjson.loads(post(callers["client one"], "orders", ORDER).content)["version"]
    (request,) = Request.objects.using("execution").all()
    path = f"orders?version={version}"
    LogKey.objects.using("execution").update_or_create(key=request.key, defaults={"number": 9})
    Mark.objects.create(reader="reporting", source="execution", key=request.key, number=9, received_at_ns=1)
    for number in range(3, 7):
        Log.objects.using("execution").create(
            key=request.key, number=number, written_at=timezone.now(), received_at_ns=1, header=b"{}", body=b"",
            events=b"[]",
        )  # fmt: skip
    applied(request, 7)
    committed("execution", "DELETE FROM banyan_request")
    numbers = {each.id: each.number for each in Account.objects.using("execution").all()}
    of_it = {"instrument": "OANDA:EURUSD", "set": "manual", "steps": -1000, "requested_at_ns": 1, "requested_number": 7}
    for decision, account, other in (
        (1, "B1", {}), (2, "B1", {"requested_number": 8}), (3, "B1", {"requested_at_ns": 2}), (4, "B2", {}),
    ):  # fmt: skip
        Order.objects.create(account=numbers[account], decision=decision, **{**of_it, **other})
    found = [each["decision"] for each in callers["client one"].rows(path)]
    assert found == [1]
    assert callers["client two"].rows(path) == []
    assert (
        callers["client one"].rows(f"{path}&until=1970-01-01") == callers["client one"].rows(f"{path}&account=B2") == []
    )
    assert [each["decision"] for each in callers["client one"].rows("orders")] == [3, 2, 1]
    refused = Unmet.objects.create(
        shard=request.key, number=9, event=0, unmet_at_ns=1, command_id=request.id, command="place-manual-order",
        account=numbers["B1"], reason="an order needs a quote", skip=0,
    )  # fmt: skip
    for asked in (path, path.replace("version", "min_version")):
        answer = callers["client one"].get(asked)
        problem = orjson.loads(answer.content)
        assert (answer.status_code, problem["code"], problem["detail"]) == (422, "refused", "an order needs a quote")
        assert callers["client two"].get(asked).status_code == 200, "it is of no account of theirs"
    (act,) = callers["operator"].rows("audit")
    assert act["unmet"] == ["an order needs a quote"]
    Unmet.objects.filter(command_id=refused.command_id).update(reason="", skip=SkipReason.FLATTENED)
    assert [each["decision"] for each in callers["client one"].rows(path)] == [1], "/skips tells of what is none"


def test_a_write_that_waits_has_led_to_nothing_yet(callers, monkeypatch):
    monkeypatch.setattr("apps.api.versions._WAIT_SECONDS", 0.0)
    version = orjson.loads(post(callers["client one"], "orders", ORDER).content)["version"]
    answer = callers["client one"].get(f"orders?version={version}")
    assert (answer.status_code, orjson.loads(answer.content)["code"]) == (503, "version-awaited")
    committed("execution", "DELETE FROM banyan_request")  # of long ago: nothing is left of it
    assert callers["client one"].rows(f"orders?version={version}") == []
    assert callers["client one"].get("orders?version=x").status_code == 400


def test_asking_again_names_the_command_that_was_asked_first(callers):
    for request_id in ("mine-1", "mine-2"):
        post(callers["client one"], "orders", ORDER, **{"X-Request-Id": request_id})
    assert [each.request_id for each in Act.objects.all()] == ["mine-1"]
    (request,) = Request.objects.using("execution").all()
    assert decode_envelope(bytes(request.header)).trace == "mine-1"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}, TRACE),
        ({"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": "mine"}, "mine"),
        ({"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"}, None),
        ({"traceparent": f"00-{TRACE}"}, None),
    ],
)  # fmt: skip
def test_a_caller_with_a_trace_of_their_own_finds_the_call_by_it(given, found):
    told = Client().get("/api/v1/version", headers=given).headers["X-Request-Id"]
    assert told == found if found else (len(told) == 32 and told not in (TRACE, "0" * 32))


def test_what_went_wrong_is_in_the_log_under_the_id_that_the_caller_was_told(callers, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(trading.reporting, "orders", fail)
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    handler.setFormatter(OneLine("{levelname} {name}: {message}", style="{"))
    logger = logging.getLogger("apps.api.problems")
    logger.addHandler(handler)
    try:
        problem = orjson.loads(callers["viewer"].get("orders").content)
    finally:
        logger.removeHandler(handler)
    assert problem["code"] == "internal"
    assert f"a call failed (request {problem['request_id']})\n" in told.getvalue()


def test_a_problem_in_a_stream_has_the_id_of_the_call_that_opened_it():
    async def one_beat():
        yield Beat(1, {"execution": 1})

    with tracing.traced("mine-3"):
        listener = listener_of("fills", FIRM, {}, Problem("key-revoked"))
    told = [chunk for chunk in chunks_of(listener, one_beat) if chunk.startswith(b"event: problem")]
    (problem,) = [orjson.loads(each.split(b"data: ")[1]) for each in told]
    assert (problem["code"], problem["request_id"]) == ("key-revoked", "mine-3")
