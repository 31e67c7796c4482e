import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.risk.contracts import Limits, SessionWindow, SetLimits, SetSessions
from apps.risk.people import LARGEST, problem_with_limits, problem_with_sessions
from apps.risk.words import WORDS, WordsError, changed_limits, limits_in_words, value_told, window_in_words, window_of

FIELDS = Limits.__struct_fields__
LIMITS = st.builds(
    Limits,
    **{name: st.integers(-1, LARGEST) for name in FIELDS if name != "flatten_on_stop"},
    flatten_on_stop=st.integers(-1, 1),
)
LOT_STEPS = st.sampled_from([None, 1, 10_000_000, 1_000_000_000, 100_000_000_000])


def test_every_limit_has_a_word():
    assert sorted(field for field, *_ in WORDS.values()) == sorted(FIELDS)


@given(LIMITS, LOT_STEPS)
def test_what_is_shown_can_be_written(limits, lot_step_e9):
    shown = limits_in_words(limits, lot_step_e9)
    written = [f"{name}={value}" for name, value in shown.items()]
    assert changed_limits(Limits(), written, lot_step_e9) == limits


@given(LIMITS, st.sampled_from(sorted(WORDS)))
def test_a_change_leaves_the_other_limits_alone(limits, name):
    field = WORDS[name][0]
    assert changed_limits(limits, [f"{name}=none"]) == msgspec.structs.replace(limits, **{field: -1})


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("position=0.5lots", "position_steps_max", 50),
        ("position=50steps", "position_steps_max", 50),
        ("order-notional=100000.5", "order_notional_micro_max", 100_000_500_000),
        ("daily-loss=2.5%", "daily_loss_e9_max", 25_000_000),
        ("price-age=1.5s", "price_age_ns_max", 1_500_000_000),
        ("leverage=10", "leverage_e9_max", 10_000_000_000),
        ("orders-per-second=5", "orders_per_second_max", 5),
        ("flatten-on-stop=yes", "flatten_on_stop", 1),
        ("flatten-on-stop=no", "flatten_on_stop", 0),
    ],
)
def test_limits_are_read_in_their_units(written, field, value):
    limits = changed_limits(Limits(), [written], 10_000_000)
    assert limits == Limits(**{field: value})
    assert problem_with_limits(SetLimits(limits=limits)) == ""


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("loss=5%", "'loss=5%' is no limit: write NAME=VALUE with one of position,"),
        ("daily-loss", "is no limit"),
        ("daily-loss=", "is no limit"),
        ("daily-loss=5", "daily-loss=5: write it as daily-loss=5%"),
        ("daily-loss=-5%", "write it as"),
        ("daily-loss=nan%", "write it as"),
        ("daily-loss=five%", "write it as"),
        ("price-age=30", "write it as price-age=30s"),
        ("position=5", "write it as position=5lots"),
        ("position=1.5steps", "position=1.5steps is no multiple of 1steps"),
        ("gross=0.0000001", "no multiple of 0.000001"),
        ("flatten-on-stop=maybe", "yes or no"),
        ("order=0.5lots", "lots are those of an instrument"),
    ],
)
def test_what_is_no_limit_is_refused_with_what_one_looks_like(written, words):
    with pytest.raises(WordsError) as caught:
        changed_limits(Limits(), [written])
    assert words in str(caught.value)


def test_lots_that_are_no_whole_steps_are_refused():
    with pytest.raises(WordsError, match=r"order=0.015lots is no multiple of 0.01lots"):
        changed_limits(Limits(), ["order=0.015lots"], 10_000_000)


@given(st.integers(0, 7 * 24 * 60 - 1), st.integers(1, 7 * 24 * 60))
def test_a_window_that_is_shown_can_be_written(opens, closes):
    window = SessionWindow(opens_minute=opens, closes_minute=closes)
    assert window_of(window_in_words(window)) == window


@pytest.mark.parametrize(
    ("written", "opens", "closes"),
    [
        ("Sun 17:00-Fri 17:00", 9660, 6780),
        ("Mon 09:30-Mon 16:00", 570, 960),
        ("Mon 00:00-Mon 00:00", 0, 10_080),
        ("Sat 12:00-Sun 24:00", 7920, 10_080),
    ],
)
def test_windows_are_minutes_of_the_week(written, opens, closes):
    window = window_of(written)
    assert (window.opens_minute, window.closes_minute) == (opens, closes)
    assert problem_with_sessions(SetSessions(instrument="X", windows=[window])) == ""


@pytest.mark.parametrize("written", ["", "9-17", "Sun 17:00", "sun 17:00-Fri 17:00", "Sun 25:00-Fri 17:00",
                                     "Sun 17:60-Fri 17:00", "Xyz 17:00-Fri 17:00"])  # fmt: skip
def test_what_is_no_window_is_refused(written):
    with pytest.raises(WordsError, match=r"is no"):
        window_of(written)


@pytest.mark.parametrize(
    ("name", "written", "told"),
    [
        ("order", "20000steps", "20,000 steps"),
        ("position", "0.07lots", "0.07 lots"),
        ("order-notional", "1250000.5", "1,250,000.5 in the account's currency"),
        ("daily-loss", "5%", "5 %"),
        ("price-age", "30s", "30 s"),
        ("leverage", "10", "10 times equity"),
        ("orders-per-minute", "1200", "1,200"),
        ("flatten-on-stop", "yes", "yes"),
    ],
)
def test_people_read_values_with_separators_and_units(name, written, told):
    assert value_told(name, written) == told
