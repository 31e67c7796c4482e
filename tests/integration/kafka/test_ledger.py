"""What the comparator keeps of each key and minute, and what stages and guards are told of it."""

from datetime import UTC, datetime, timedelta

import pytest

from banyan.facade import Routing, Side, Stage
from banyan.facade.models import Comparison, Noise
from banyan.facade.routing import change
from extract import checks
from extract.checks import Bounds
from extract.comparator.durations import class_of
from extract.comparator.ledger import Counts, Reached, keep, keep_noise, of_cohorts, took, totals, watch_anew, watched
from extract.sides import Head
from extract.sources import code_hash
from tests.integration.kafka.conftest import KEYS

pytestmark = pytest.mark.django_db(databases=["facade", "risk"])
CANARY = Routing(Stage.CANARY, frozenset({"a"}))
_FEW = Bounds(minutes=0, records=1)
ENDS = dict.fromkeys(KEYS, Head(Side.APP, 1))


def compared(key: str, *, same: int = 0, differing: int = 0, ms: float = 1.0, ago: int = 0) -> None:
    """Keep that so many records of a key were compared, each decided in so many ms, so many minutes ago."""
    counts = Counts(same=same, differing=differing)
    counts.follower_took[class_of(int(ms * 1e6))] = same + differing
    minute = int(datetime.now(UTC).timestamp()) // 60 - ago
    keep("risk", {(key, minute): counts}, {key: Reached(1, 0, "same", 1)}, [], 1)


def test_what_is_kept_of_a_minute_adds_up_class_by_class_also_to_rows_of_before_there_were_classes():
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    Comparison.objects.using("facade").create(context="risk", key="a", minute=minute, same=5)
    compared("a", same=2, ms=1.0)
    compared("a", same=1, ms=1.0)
    compared("a", differing=3, ms=300.0)
    compared("b", same=1, ms=1.0)
    since = minute - timedelta(minutes=1)
    sums = totals("risk", since)
    assert (sums["same"], sums["differing"]) == (9, 3)
    times = took("risk", since)
    assert {at: count for at, count in enumerate(times["a"].follower) if count} == {
        class_of(1_000_000): 3, class_of(300_000_000): 3,
    }  # fmt: skip
    assert sum(times["b"].follower) == 1
    assert not any(times["a"].leader)


def test_what_was_counted_before_a_stage_began_does_not_count_in_it():
    change("risk", Routing(), Stage.SHADOW, who="anna", why="first day", evidence=[])
    compared("a", same=10, differing=7)
    watch_anew("risk")
    compared("a", same=4, differing=1)
    compared("b", same=6)
    _, sums = watched("risk")
    assert {key: (each["same"], each["differing"]) for key, each in sums.items()} == {"a": (4, 1), "b": (6, 0)}
    cohorts = of_cohorts(CANARY, sums)
    assert (cohorts[Side.SERVICE]["differing"], cohorts[Side.APP]["differing"]) == (1, 0)


def test_how_long_things_took_is_told_of_the_time_that_is_asked_for():
    compared("a", same=1, ago=5)
    compared("a", same=2)
    assert sum(took("risk", datetime.now(UTC) - timedelta(minutes=3))["a"].follower) == 2


@pytest.fixture
def looked(monkeypatch):
    """Return what tells, by name, what has to be so for `live`, of what followers have told alone."""
    monkeypatch.setattr(checks, "_of_kafka", lambda _: iter(()))
    monkeypatch.setattr(checks, "heads", lambda *_: ENDS)

    def look(routing: Routing, bounds: Bounds = _FEW) -> dict[str, list[tuple[bool, str]]]:
        found: dict[str, list[tuple[bool, str]]] = {}
        for each in checks.checks("risk", routing, Stage.LIVE, KEYS, bounds):
            found.setdefault(each.name, []).append((each.is_so, each.found))
        return found

    return look


def test_no_stage_goes_on_before_it_is_known_how_much_differs_by_itself(looked):
    change("risk", Routing(), Stage.SHADOW, who="anna", why="first day", evidence=[])
    name, shadow = "noise floor measured", Routing(Stage.SHADOW)
    [(is_so, found)] = looked(shadow)[name]
    assert not is_so
    assert "manage.py extract noise risk" in found
    keep_noise("risk", "other code", 100, 0)
    assert not looked(shadow)[name][0][0]
    keep_noise("risk", code_hash("risk"), 0, 0)
    assert not looked(shadow)[name][0][0], "nothing was decided again"
    keep_noise("risk", code_hash("risk"), 100, 0)
    [(is_so, found)] = looked(shadow)[name]
    assert (is_so, found.partition(",")[0]) == (True, "0.00% of 100 records")
    keep_noise("risk", code_hash("risk"), 100, 1)
    assert not looked(shadow)[name][0][0], "more than may differ"
    assert Noise.objects.using("facade").count() == 1


def test_the_rate_of_differences_is_looked_at_where_the_service_leads_and_where_the_app_does(looked):
    change("risk", Routing(), Stage.CANARY, who="anna", why="a try", evidence=[], service_keys=CANARY.service_keys)
    watch_anew("risk")
    compared("a", same=9, differing=1)
    compared("b", same=99_999)
    rates = looked(CANARY)["mismatch rate"]
    assert [(is_so, found.partition(" of ")[0]) for is_so, found in rates] == [(True, "0.00%"), (False, "10.00%")]


def test_each_thing_that_a_stage_asks_of_those_who_follow_is_looked_at_by_itself(looked, monkeypatch):
    change("risk", Routing(), Stage.SHADOW, who="anna", why="first day", evidence=[])
    watch_anew("risk")
    keep_noise("risk", code_hash("risk"), 100, 0)
    shadow = Routing(Stage.SHADOW)

    def wrong(bounds: Bounds = _FEW) -> list[str]:
        return [name for name, told in looked(shadow, bounds).items() if not all(is_so for is_so, _ in told)]

    compared("a", same=5)
    compared("b", same=5)
    assert wrong() == ["every key is followed"]
    compared("c", same=5)
    assert wrong() == []
    assert wrong(_FEW._replace(records=15)) == []
    assert wrong(_FEW._replace(records=16)) == ["records observed"]
    assert wrong(_FEW._replace(minutes=1)) == ["minutes observed"]
    reached_by("b", "differs")
    assert wrong() == ["digests are equal"]
    reached_by("b", "")
    assert wrong() == ["digests are equal"], "nothing has been said of it since"
    reached_by("b", "same")
    assert wrong() == []
    monkeypatch.setitem(ENDS, "c", Head(Side.SERVICE, _FEW.behind + 1))
    assert wrong() == []
    monkeypatch.setitem(ENDS, "c", Head(Side.SERVICE, _FEW.behind + 2))
    assert wrong() == ["followers are not behind"]
    assert checks.checks("risk", CANARY, Stage.SHADOW, KEYS, _FEW) == [], "the way back asks for nothing"
    kept = [(each.name, each.is_so) for each in checks.known("risk", CANARY, KEYS)]
    assert kept == [
        ("every key is followed", True), ("followers are not behind", False), ("digests are equal", True),
        ("mismatch rate", True), ("mismatch rate", True),
    ], "and what is known is kept with it"  # fmt: skip


def reached_by(key: str, digest: str) -> None:
    """Keep that a key has been compared up to its first record, with a digest or without one."""
    keep("risk", {}, {key: Reached(1, 0, digest, 1 if digest else 0)}, [], 1)
