import pytest

from tests.benchmarks.live_rates import growth_row, lateness

S = 1_000_000_000


def test_a_signal_is_as_late_as_its_last_order():
    accepted = [(2 * S, 3), (3 * S, 2), (5 * S, 3)]
    assert lateness([1 * S, 2 * S], accepted, accounts=4) == pytest.approx([2.0, 3.0])


def test_a_signal_whose_orders_did_not_all_come_is_not_counted():
    assert lateness([1 * S, 2 * S], [(2 * S, 4), (3 * S, 3)], accounts=4) == pytest.approx([1.0])


def test_one_batch_may_end_several_signals():
    assert lateness([1 * S, 2 * S], [(4 * S, 9)], accounts=4) == pytest.approx([3.0, 2.0])


def test_a_delay_has_grown_by_what_the_last_third_is_later_than_the_first():
    assert growth_row([1.0, 1.0, 2.0, 2.0, 3.0, 3.0], 0).samples == [2.0]


def test_no_growth_is_told_where_orders_were_given_up():
    assert growth_row([1.0] * 6, 5).samples == []
