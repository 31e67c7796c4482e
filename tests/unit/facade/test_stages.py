from itertools import pairwise

import pytest

from banyan.facade import Routing, Side, Stage, StageError
from banyan.facade.crossing import Needs, needs_of
from banyan.facade.stages import named_keys, share_of
from banyan.shards import shard_keys

KEYS = shard_keys(12)


@pytest.mark.parametrize(
    ("stage", "leader", "follower"),
    [
        (Stage.INPROCESS, Side.APP, None),
        (Stage.SHADOW, Side.APP, Side.SERVICE),
        (Stage.LIVE, Side.SERVICE, Side.APP),
        (Stage.EXTRACTED, Side.SERVICE, None),
    ],
)
def test_one_side_leads_each_key_and_the_other_follows_where_there_is_one(stage, leader, follower):
    routing = Routing(stage)
    assert {routing.leader(key) for key in KEYS} == {leader}
    assert {routing.follower(key) for key in KEYS} == {follower}


def test_in_canary_the_service_leads_some_keys_and_follows_the_rest():
    routing = Routing(Stage.CANARY, frozenset({"01", "canary"}))
    assert {key for key in KEYS if routing.leader(key) is Side.SERVICE} == {"01", "canary"}
    assert all(routing.follower(key) is routing.leader(key).other for key in KEYS)


def test_keys_of_the_service_go_with_canary_alone():
    for stage, keys in ((Stage.CANARY, frozenset()), (Stage.SHADOW, frozenset({"01"}))):
        with pytest.raises(StageError, match="belong to the stage canary"):
            Routing(stage, keys)


def test_a_share_is_always_the_same_keys_and_a_larger_one_has_those_of_a_smaller():
    shares = [share_of(KEYS, percent) for percent in range(1, 101)]
    assert all(one <= other for one, other in pairwise(shares))
    assert (len(shares[0]), len(shares[-1])) == (1, len(KEYS))
    assert share_of(list(reversed(KEYS)), 30) == shares[29]
    with pytest.raises(StageError):
        share_of(KEYS, 0)


def test_a_key_that_there_is_not_is_named():
    assert named_keys(KEYS, ["01"]) == frozenset({"01"})
    with pytest.raises(StageError, match="No key is called 'oanda'"):
        named_keys(KEYS, ["01", "oanda"])


def test_who_is_in_the_app_needs_no_kafka():
    assert needs_of("execution", ["risk"], ["risk"], {}) == Needs()
    assert needs_of("risk", ["execution"], ["execution"], {"risk": Routing()}) == Needs()


def test_from_shadow_on_inputs_cross_and_from_canary_on_what_comes_of_them():
    shadow, canary = {"risk": Routing(Stage.SHADOW)}, {"risk": Routing(Stage.CANARY, frozenset({"01"}))}
    assert needs_of("execution", ["risk"], ["risk", "signals"], shadow) == Needs(("risk",), ())
    assert needs_of("execution", ["risk"], ["risk", "signals"], canary) == Needs(("risk",), ("risk",))
    assert needs_of("risk", ["execution"], ["execution"], shadow) == Needs((), (), has_other_side=True)
    assert needs_of("signals", ["execution"], ["feeds"], canary) == Needs()
    for stage in (Stage.LIVE, Stage.EXTRACTED):  # an app that still has the context goes on following
        assert needs_of("risk", ["execution"], ["execution"], {"risk": Routing(stage)}) == Needs((), (), True)
