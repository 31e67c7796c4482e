import pytest

from trading.costs import Costs, fee_of, taker_price

FREE = Costs(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_fee_adds_rate_units_and_lots() -> None:
    costs = FREE._replace(fee_rate=0.001, fee_unit=0.02, fee_lot=3.0)
    assert fee_of(costs, 5000.0, 2.0, 100.0) == pytest.approx(5.0 + 2 * 100 * 0.02 + 2 * 3.0)


def test_fee_is_no_less_than_the_minimum() -> None:
    assert fee_of(FREE._replace(fee_minimum=7.0), 1.0, 1.0, 1.0) == 7.0
    assert fee_of(FREE._replace(fee_minimum=7.0, fee_lot=8.0), 1.0, 1.0, 1.0) == 8.0


@pytest.mark.parametrize("side", [1, -1])
def test_slippage_adds_up_against_the_taker(side: int) -> None:
    costs = FREE._replace(slip_rate=0.001, slip_fixed=0.05, slip_volume=0.2)
    assert taker_price(costs, 100.0, side, 0.5, 0.0) == pytest.approx(100 + side * (0.1 + 0.05 + 0.2 * 0.25 * 100))


def test_price_is_put_on_the_tick_that_is_worse() -> None:
    assert taker_price(FREE, 100.003, 1, 0.0, 0.01) == 100.01
    assert taker_price(FREE, 100.003, -1, 0.0, 0.01) == 100.0
    assert taker_price(FREE, 100.01, 1, 0.0, 0.01) == 100.01
