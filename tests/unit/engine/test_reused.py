"""Memory is used again only where nobody can see that it is."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from apps.backtest.interface import run
from apps.backtest.reused import given_away, scratch
from trading.native import address_of

HOLD = {
    "the array": lambda array: array,
    "a part of it": lambda array: array[3:5],
    "another kind of view": lambda array: array.view(np.int64).reshape(5, 2),
    "a memoryview": memoryview,
    "a view of a memoryview": lambda array: np.frombuffer(memoryview(array)),
    "an iterator": iter,
}


def test_what_nobody_holds_is_given_away_again():
    first = given_away("dropped", 10)
    place = address_of(first)
    del first
    assert address_of(given_away("dropped", 10)) == place


@pytest.mark.parametrize("hold", HOLD.values(), ids=HOLD)
def test_what_somebody_holds_any_part_of_is_not_given_away_again(hold):
    first = given_away("held", 10)
    place, held = address_of(first), hold(first)
    del first
    others = [given_away("held", 10) for _ in range(4)]
    assert place not in {address_of(each) for each in others}
    assert held is not None


def test_repeating_a_run_and_holding_the_last_result_takes_two_arrays_in_all():
    places, held = set(), None
    for _ in range(6):
        held = given_away("repeated", 10)
        places.add(address_of(held))
    assert len(places) == 2


def test_an_array_is_not_kept_by_a_small_part_of_it_and_has_the_kind_asked_for():
    place = address_of(given_away("sized", 100))
    assert address_of(given_away("sized", 10)) != place
    assert given_away("sized", 60).size == 60
    assert given_away("sized", 60, np.int64).dtype == np.int64
    assert scratch("sized too", 60, np.int64).dtype == np.int64
    assert scratch("sized too", 40).dtype == np.float64
    assert scratch("sized too", 70).size == 70


def test_threads_do_not_share():
    mine = address_of(scratch("shared", 10))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: address_of(scratch("shared", 10))).result() != mine


def test_results_that_are_held_stay_what_they_were():
    rng = np.random.default_rng(5)
    held, copies = [], []
    for _ in range(5):
        close = 100.0 + rng.standard_normal(400).cumsum()
        bars = {"open": close, "high": close + 1.0, "low": close - 1.0, "close": close}
        for engine in ("auto", "events"):
            result = run("sma_cross", bars, params={"fast": 2, "slow": 5}, engine=engine)
            held.append(result)
            copies.append([each.copy() for each in (result.equity, result.fill_records, result.trade_records)])
    for result, (equity, fills, trips) in zip(held, copies, strict=True):
        assert result.equity.tobytes() == equity.tobytes()
        assert result.fill_records.tobytes() == fills.tobytes()
        assert result.trade_records.tobytes() == trips.tobytes()
    for auto, events in zip(held[::2], held[1::2], strict=True):
        assert auto.equity.tobytes() == events.equity.tobytes()
