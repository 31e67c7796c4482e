"""Stages over the API: who changed them, and how the sides differ."""

from collections import Counter
from datetime import timedelta

import orjson
import pytest
from django.utils import timezone

from apps.execution.interface import NewAccount, open_accounts
from banyan.facade.models import Comparison, Mismatch
from banyan.facade.routing import change, routing_of
from banyan.facade.stages import Stage
from extract.readiness import CHECKS
from tests.integration.api.conftest import ALL

pytestmark = [pytest.mark.django_db(databases=ALL), pytest.mark.usefixtures("commands_of_this_test")]


@pytest.fixture(autouse=True)
def shadowed():
    """Risk in shadow, with two minutes compared of one key, and three rows that differ."""
    change("risk", routing_of("risk"), Stage.SHADOW, who="ann", why="to see", evidence=[{"check": "lag", "ok": True}])
    (account,) = open_accounts([NewAccount("X1", "one", 1e3)])
    minute = timezone.now().replace(second=0, microsecond=0)
    for ago, same in ((2, 6), (1, 3)):
        Comparison.objects.using("facade").create(
            context="risk", key="07", minute=minute - timedelta(minutes=ago), same=same, differing=1, mismatched=2,
            leader_ns=50, follower_ns=30, lag_ns_max=ago,
        )  # fmt: skip
    Comparison.objects.using("facade").create(context="risk", key="07", minute=minute - timedelta(days=2), same=99)
    for number in (1, 2, 3):
        Mismatch.objects.using("facade").create(
            context="risk", key="07", number=number, cause="c", input="i", at=minute, kind="mismatched", event="e",
            account=account.number if number == 1 else -1, instrument="OANDA:EURUSD", fields={"steps": [5, 6]},
            lots=0.01, money=2.5, events=[],
        )  # fmt: skip


def test_who_changed_a_stage_is_told_with_what_had_been_checked(callers):
    (row,) = callers["platform"].rows("stages/risk/changes")
    assert (row["who"], row["why"], row["evidence"]) == ("ann", "to see", [{"check": "lag", "ok": True}])
    assert (row["before"]["stage"], row["after"]["stage"]) == ("inprocess", "shadow")


def test_minutes_are_added_up_by_key(callers):
    (row,) = callers["platform"].rows("stages/risk/comparisons")
    assert [row[name] for name in ("key", "same", "differing", "mismatched", "lag_ns_max")] == ["07", 9, 2, 4, 2]
    assert (row["leader_ns"], row["follower_ns"]) == ("9", "5")
    whole = (timezone.now() - timedelta(days=3)).isoformat().replace("+00:00", "Z")
    assert callers["platform"].rows(f"stages/risk/comparisons?since={whole}")[0]["same"] == 108


def test_readiness_is_told_check_by_check_with_each_place(callers):
    found = orjson.loads(callers["platform"].get("stages/risk/readiness").content)
    assert found["worse"] == []
    counted = Counter(each["check"] for each in found["findings"])
    assert {name: count for name, count in found["counts"].items() if count} == counted
    assert set(found["counts"]) == set(CHECKS)
    assert set(found["findings"][0]) == {"check", "path", "line", "detail"}
    assert callers["platform"].get("stages/nothing/readiness").status_code == 404


def test_differences_are_told_page_by_page_with_their_size(callers):
    caller = callers["platform"]
    rows = caller.rows("stages/risk/differences?limit=2")
    assert [(row["number"], row["account"], row["lots"], row["money"]) for row in rows] == [
        (3, None, "0.01", "2.5"), (2, None, "0.01", "2.5"), (1, "X1", "0.01", "2.5"),
    ]  # fmt: skip
    assert rows[0]["fields"] == {"steps": [5, 6]}
    assert caller.rows("stages/risk/differences?key=08") == []
    assert orjson.loads(caller.get("stages/feeds/differences").content)["code"] == "not-found"
