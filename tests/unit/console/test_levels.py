"""Settings as they are typed: one line for an address, and what execution takes."""

import pytest

from apps.console import levels
from apps.console.levels import LevelError

FOLLOWS = {"is_active": "yes", "allocation": "0.5", "join": "converge"}


def test_a_line_says_what_was_typed():
    typed = {"sizing": "vol:15", "multiplier": "", "close_only": " no ", "instruments": "sim:a, SIM:B"}
    text = levels.line(typed)
    assert text == "sizing=vol:15; close_only=no; instruments=sim:a, SIM:B"
    given = levels.given(levels.typed_in(text), levels.OF_ACCOUNT)
    assert given["instruments"] == ["SIM:A", "SIM:B"]
    assert (given["close_only"], given["reverse"], given["multiplier"]) == (False, None, None)
    assert given["sizing"] == "vol:15"


def test_what_is_told_can_be_typed_again():
    told = {"is_active": True, "allocation": "0.5", "join": "converge", "symbols": {"SIM:A": "SIM:B"},
            "sizing": None, "reverse": False, "instruments": ["SIM:A"], "multiplier": "2"}  # fmt: skip
    typed = levels.written(told)
    assert typed["reverse"] == "no"
    given = levels.given(levels.typed_in(levels.line(typed)), levels.OF_FOLLOWING)
    assert {name: given[name] for name in told} == told


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"multiplier": "plenty"}, "multiplier: 'plenty' is no number"),
        ({"multiplier": "nan"}, "multiplier: 'nan' is no number"),
        ({"lots_max": "1e999999999"}, "lots_max"),
        ({"below_min": "up"}, "below_min: 'up' is none of skip, round-up"),
        ({"reverse": "true"}, "reverse"),
        ({"colour": "red"}, "there is no setting colour"),
        ({"instruments": "SIM:A"}, "there is no setting instruments"),  # of a set: it trades what it trades
        ({"symbols": "SIM:A"}, "symbols: 'SIM:A' is no list"),
        ({"symbols": "SIM:A>SIM:B"}, "symbols: 'SIM:A>SIM:B' is no list"),
    ],
)
def test_what_is_no_setting_is_told(typed, problem):
    asked = levels.OF_FOLLOWING if "symbols" in typed else levels.OF_SET
    with pytest.raises(LevelError, match=problem.replace("(", r"\(")):
        levels.given(FOLLOWS | typed if "symbols" in typed else typed, asked)


def test_how_a_set_is_followed_says_all_that_it_must():
    with pytest.raises(LevelError, match="allocation, join"):
        levels.given({"is_active": "yes"}, levels.OF_FOLLOWING)


def test_a_line_that_is_none_is_told():
    with pytest.raises(LevelError, match="'multiplier' is no setting"):
        levels.typed_in("multiplier; reverse=yes")
