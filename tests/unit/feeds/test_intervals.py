"""Names of intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.intervals import DAY, HOUR, MINUTE, SECOND, WEEK, IntervalError, format_interval, parse_interval


@pytest.mark.parametrize(
    ("text", "length"),
    [("1s", SECOND), ("1m", MINUTE), ("5m", 5 * MINUTE), ("1h", HOUR), ("4H", 4 * HOUR), ("1d", DAY), ("1w", WEEK),
     ("15min", 15 * MINUTE), (" 1 day ", DAY), ("250ms", SECOND // 4)],
)  # fmt: skip
def test_names_are_understood(text: str, length: int) -> None:
    assert parse_interval(text) == length


@pytest.mark.parametrize("text", ["", "h", "0h", "1x", "1.5h", "-1h", "1mo", "1h30m"])
def test_other_texts_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(IntervalError, match="such as 1m, 5m, 1h or 1d"):
        parse_interval(text)


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_a_name_that_is_written_is_read_back(count: int, unit: str) -> None:
    length = parse_interval(f"{count}{unit}")
    assert parse_interval(format_interval(length)) == length


def test_ticks_have_no_interval() -> None:
    assert format_interval(0) == "tick"
