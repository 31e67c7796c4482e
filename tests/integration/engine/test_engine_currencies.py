"""Instruments in other currencies: what is converted at which rate."""

from typing import Any

import numpy as np
import pytest

from apps.backtest.interface import run
from tests.integration.engine.scripted import (
    DAY_NS,
    HOUR_NS,
    MONDAY,
    bars_of,
    fills_by_channel,
    flat,
    lots,
    stop,
    trade,
    trade_several,
    weight,
)
from trading.instruments import Instrument

CASH = 100_000.0

EUROPEAN = Instrument("V:EU", asset_class="equity", currency="EUR")
AMERICAN = Instrument("V:US", asset_class="equity", currency="USD")

MOVING = bars_of([(1.0, 1.5, 1.0, 1.1), (1.2, 1.5, 1.0, 1.3), (1.4, 1.5, 1.0, 1.5), (1.6, 1.9, 1.5, 1.7)])
"""A rate that opens a day elsewhere than it closed the day before."""


def in_euro(rate: Any, **options: Any) -> dict[str, Any]:
    return {"instruments": EUROPEAN, "conversion": {"EUR": rate}, "currency": "USD", **options}


def test_fill_at_an_open_is_converted_at_the_rate_of_that_open_and_marked_at_that_of_the_close() -> None:
    result = trade([*flat(100, 2), *flat(110, 2)], {0: lots(10), 2: lots(0)}, **in_euro(MOVING))
    bought, sold = 10 * 100 * 1.2, 10 * 110 * 1.6
    assert result.fill_records["cash"].tolist() == pytest.approx([CASH - bought, CASH - bought + sold])
    assert result.equity.tolist() == pytest.approx(
        [CASH, CASH - bought + 10 * 100 * 1.3, CASH - bought + 10 * 110 * 1.5, CASH - bought + sold]
    )
    assert result.trade_records["pnl"].tolist() == pytest.approx([sold - bought])


def test_fill_at_a_close_is_converted_at_the_rate_of_that_close() -> None:
    result = trade(flat(100, 4), {1: lots(10), 2: lots(0)}, **in_euro(MOVING, fill="close"))
    bought, sold = 10 * 100 * 1.3, 10 * 100 * 1.5
    assert result.fill_records["cash"].tolist() == pytest.approx([CASH - bought, CASH - bought + sold])
    assert result.trade_records["pnl"].tolist() == pytest.approx([sold - bought])
    assert result.metrics["turnover"] == pytest.approx(
        (bought + sold) / 2 / np.mean([CASH, *result.equity]) * 365.25 / 4
    )


def test_weight_is_sized_at_the_rate_of_the_open_that_fills_it() -> None:
    result = trade(flat(100, 4), {0: weight(0.5)}, **in_euro(MOVING, sizing="weights"))
    assert result.fill_records["quantity"].tolist() == pytest.approx([CASH / 2 / (100 * 1.2)])
    decided = trade(flat(100, 4), {0: weight(0.5)}, **in_euro(MOVING, sizing="weights", size_at="decision"))
    assert decided.fill_records["quantity"].tolist() == pytest.approx([CASH / 2 / (100 * 1.1)])


def test_several_channels_are_sized_on_what_the_account_is_worth_at_the_rates_of_the_open() -> None:
    bars = {"V:EU": bars_of(flat(100, 4)), "V:US": bars_of(flat(50, 4))}
    result = trade_several(
        bars, {(0, 0): lots(100), (1, 1): weight(0.5)},
        instruments={"V:EU": EUROPEAN, "V:US": AMERICAN}, conversion={"EUR": MOVING}, currency="USD",
    )  # fmt: skip
    worth = CASH - 100 * 100 * 1.2 + 100 * 100 * 1.4
    assert result.fill_records["quantity"].tolist() == pytest.approx([100, worth / 2 / 50])


def test_stop_that_is_gapped_is_converted_at_the_open_and_one_reached_within_the_bar_at_the_close() -> None:
    gap = [*flat(100, 1), (110, 112, 109, 111), *flat(111, 2)]
    within = [*flat(100, 1), (100, 112, 100, 111), *flat(111, 2)]
    spent = [
        CASH - trade(rows, {0: stop(10, 105)}, **in_euro(MOVING)).fill_records["cash"][0] for rows in (gap, within)
    ]
    assert spent == pytest.approx([10 * 110 * 1.2, 10 * 105 * 1.3])


def test_slower_conversion_counts_with_the_open_of_its_bar_that_has_not_closed() -> None:
    hours = bars_of(flat(100, 50), interval=HOUR_NS)
    daily = bars_of([(1.1, 1.2, 1.0, 1.15), (1.2, 1.3, 1.0, 1.25), (1.3, 1.4, 1.0, 1.35)], start=MONDAY - DAY_NS)
    script = {0: lots(10), 5: lots(0), 23: lots(10)}
    result = trade(hours, script, **in_euro(daily))
    first, second = 10 * 100 * 1.2, 10 * 100 * 1.3
    assert result.fill_records["cash"].tolist() == pytest.approx([CASH - first, CASH, CASH - second])
    assert result.equity[[22, 23, 24, 48]].tolist() == pytest.approx(
        [CASH, CASH, CASH, CASH - second + 10 * 100 * 1.35]
    )


def test_conversion_of_the_past_alone_is_used() -> None:
    """A price of the conversion that comes later moves no fill before it."""
    rows = [*flat(100, 2), *flat(110, 2)]
    later = {name: column.copy() for name, column in MOVING.items()}
    for name in ("open", "high", "low", "close"):
        later[name][2:] *= 3.0
    later["high"][1] = later["close"][1] = 9.0
    known, other = (
        trade(rows, {0: lots(10)}, **in_euro(rate)).fill_records["cash"].tolist() for rate in (MOVING, later)
    )
    assert known == other


def test_other_currencies_are_converted_at_the_rate_of_the_row() -> None:
    rate = bars_of([(k, k, k, k) for k in (1.1, 1.1, 1.2, 1.25)])
    bars = {"V:EU": bars_of([*flat(100, 2), *flat(110, 2)]), "V:US": bars_of(flat(50, 4))}
    kinds = {"V:EU": EUROPEAN, "V:US": AMERICAN}
    script = {(0, 0): lots(10), (0, 1): lots(10), (2, 0): lots(0)}
    result = trade_several(bars, script, instruments=kinds, conversion={"EUR": rate}, currency="USD")
    bought = 10 * 100 * 1.1
    sold = 10 * 110 * 1.25
    assert result.fill_records["cash"].tolist() == pytest.approx(
        [CASH - bought, CASH - bought - 500, CASH - bought - 500 + sold]
    )
    assert result.equity.tolist() == pytest.approx([CASH, CASH, CASH - bought + 10 * 110 * 1.2, CASH - bought + sold])
    closed = result.trade_records[result.trade_records["is_open"] == 0]
    assert closed["pnl"] == pytest.approx([sold - bought])


def test_weights_in_other_currencies_are_shares_of_the_accounts_equity() -> None:
    rate = bars_of(flat(1.25, 3))
    result = trade_several(
        {"V:EU": bars_of(flat(100, 3)), "V:US": bars_of(flat(50, 3))},
        {(0, 0): weight(0.5), (0, 1): weight(0.5)},
        instruments={"V:EU": EUROPEAN, "V:US": AMERICAN}, conversion={"EUR": rate}, currency="USD",
    )  # fmt: skip
    assert [fill[:3] for fill in fills_by_channel(result)] == [(1, 0, 400.0), (1, 1, 1000.0)]


def test_one_channel_may_be_in_another_currency_too() -> None:
    rate = bars_of(flat(1.25, 80))
    close = 100 * 1.01 ** np.arange(80)
    bars = bars_of(np.column_stack([close] * 4))
    options = {
        "instruments": EUROPEAN,
        "conversion": {"EUR": rate},
        "currency": "USD",
        "params": {"fast": 2, "slow": 4},
    }
    auto, events = (run("sma_cross", bars, engine=engine, **options) for engine in ("auto", "events"))
    assert auto.fill_records["quantity"] == pytest.approx([CASH / (close[4] * 1.25)])
    assert auto.equity.tobytes() == events.equity.tobytes()


@pytest.mark.parametrize("fill", ["next-open", "close"])
def test_both_ways_through_the_books_convert_to_the_same_bits(fill: str) -> None:
    rng = np.random.default_rng(11)
    closes, rates = 100.0 + rng.standard_normal(300).cumsum(), 1.2 + 0.01 * rng.standard_normal((300, 2)).cumsum(axis=0)
    bars = bars_of(np.column_stack([closes] * 4))
    rate = bars_of(np.column_stack([rates[:, 0], rates.max(axis=1), rates.min(axis=1), rates[:, 1]]))
    options = in_euro(rate, params={"fast": 2, "slow": 5, "side": "both"}, fill=fill, fee_bps=5)
    auto, events = (run("sma_cross", bars, engine=engine, **options) for engine in ("auto", "events"))
    assert auto.n_fills > 20
    for name in ("equity", "fill_records", "trade_records"):
        assert getattr(auto, name).tobytes() == getattr(events, name).tobytes()
