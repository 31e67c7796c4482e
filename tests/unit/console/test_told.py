import pytest

from apps.console.templatetags.told import at_tick, bound, change, coded, exact, money, whole


@pytest.mark.parametrize(
    ("price", "tick", "told"),
    [
        (1.3, 1e-05, "1.30000"),
        (1.30005, 1e-05, "1.30005"),
        (151.2, 0.001, "151.200"),
        (4512.5, 0.25, "4,512.50"),
        (17_000.0, 1.0, "17,000"),
        (17_000.0, 5.0, "17,000"),
        (None, 0.01, "–"),
        (1.25, 0.0, "1.25000"),
    ],
)
def test_a_price_has_all_the_decimals_of_its_tick(price, tick, told):
    assert at_tick(price, tick) == told


@pytest.mark.parametrize(
    ("value", "told"), [(1_000.0, "1,000"), (1.5, "1.5"), (0.25, "0.25"), (0.0, "0"), (-20.0, "−20")]
)
def test_a_bound_has_no_decimals_that_nobody_gave(value, told):
    assert bound(value) == told


@pytest.mark.parametrize(("of", "told"), [(money, "0.00"), (whole, "0"), (change, "+0.00")])
def test_nothing_is_never_told_as_less_than_nothing(of, told):
    assert of(-0.001) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [(1e-05, "0.00001"), (100_000.0, "100,000"), (0.01, "0.01"), (1.0, "1"), (2.5e9, "2,500,000,000")],
)
def test_a_term_of_an_instrument_is_never_told_in_powers_of_ten(value, told):
    assert exact(value) == told


def test_what_stands_between_backticks_is_shown_as_code_and_nothing_else_is_let_through():
    told = coded("25 as planned; `manage.py topics apply --with risk` <b>`a`</b> ` & `<i>`")
    assert told == (
        "25 as planned; <code>manage.py topics apply --with risk</code> &lt;b&gt;<code>a</code>&lt;/b&gt; "
        "<code> &amp; </code>&lt;i&gt;`"
    )
