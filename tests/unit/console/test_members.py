"""Members of a set, as one line of text."""

import pytest

from apps.console.members import members_read, members_written
from apps.signals.interface import NewMember, SetError, StrategyParameterError

EURO = "OANDA:EURUSD"


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ("ema_cross", SetError, "is no member of a set"),
        (f"ema_cross {EURO}@1h much fast=3", SetError, "is no number above 0 to 1"),
        (f"ema_cross {EURO} 1", SetError, "is no channel"),
        (f"ema_cross {EURO}@1x 1", SetError, "1x"),
        (f"ema_cross {EURO}@1h 1 fast=99999", StrategyParameterError, "out of bounds"),
        (f"ema_cross {EURO}@1h 1 colour=red", StrategyParameterError, "colour"),
        (f"/tmp/mine.py {EURO}@1h 1", SetError, "is no shipped strategy"),
    ],
)
def test_members_that_cannot_be_are_told(line, error, words):
    with pytest.raises(error, match=words):
        members_read(line)


def test_members_are_read_as_they_are_written():
    members = [
        NewMember("ema_cross", [(EURO, "1h")], {"fast": 5, "slow": 20}, 0.25),
        NewMember("rsi_reversion", [(EURO, "4h")], {}, 0.5),
    ]
    assert members_read(members_written(members)) == members
