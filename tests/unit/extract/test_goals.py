"""What is wanted of a context when something is wanted of one of its keys."""

import pytest

from banyan.facade import Routing, Stage, StageError
from extract.goals import goal_of, is_less

KEYS = ("binance", "nasdaq", "oanda")
IN_APP, SHADOW, LIVE = Routing(), Routing(Stage.SHADOW), Routing(Stage.LIVE)


def canary(*keys: str) -> Routing:
    return Routing(Stage.CANARY, frozenset(keys))


@pytest.mark.parametrize(
    ("before", "action", "stage", "led"),
    [
        (IN_APP, "shadow", Stage.SHADOW, ()),
        (SHADOW, "canary", Stage.CANARY, ("oanda",)),
        (SHADOW, "live", Stage.CANARY, ("oanda",)),
        (canary("nasdaq"), "live", Stage.CANARY, ("nasdaq", "oanda")),
        (canary("nasdaq", "oanda"), "rollback", Stage.CANARY, ("nasdaq",)),
        (canary("oanda"), "shadow", Stage.SHADOW, ()),
        (LIVE, "rollback", Stage.CANARY, ("binance", "nasdaq")),
    ],
)
def test_a_key_goes_alone_and_the_context_is_in_the_stage_that_this_takes(before, action, stage, led):
    assert goal_of(before, action, "oanda", KEYS) == (stage, frozenset(led))


@pytest.mark.parametrize(
    ("before", "action", "why"),
    [
        (IN_APP, "canary", "No service follows yet"),
        (SHADOW, "rollback", "The app leads oanda"),
        (SHADOW, "extract", "with all its keys"),
        (canary("oanda"), "live", "leads oanda already"),
        (Routing(Stage.EXTRACTED), "rollback", "comes back with them"),
    ],
)
def test_what_cannot_be_wanted_of_one_key_is_refused_with_the_reason(before, action, why):
    with pytest.raises(StageError, match=why):
        goal_of(before, action, "oanda", KEYS)


@pytest.mark.parametrize(
    ("before", "stage", "led", "is_so"),
    [
        (canary("nasdaq", "oanda"), Stage.CANARY, ("oanda",), True),
        (canary("oanda"), Stage.CANARY, ("nasdaq",), False),
        (canary("oanda"), Stage.CANARY, ("nasdaq", "oanda"), False),
        (canary("oanda"), Stage.LIVE, (), False),
        (SHADOW, Stage.CANARY, ("oanda",), False),
    ],
)
def test_nothing_is_looked_at_only_where_keys_come_back_and_none_goes(before, stage, led, is_so):
    assert is_less(before, stage, frozenset(led)) == is_so
