"""Every shipped strategy on a few bars worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.signals.driving import drive, tape_of
from apps.signals.interface import get_strategy, list_strategies
from apps.signals.strategies.momentum_rank import _nth_largest
from apps.signals.testing import bars_of, said_on

NAN = np.nan


def several(strategy, closes, **params):
    tape = tape_of({name: bars_of(column) for name, column in closes.items()})
    said, state = drive(strategy, strategy.bind(**params), tape)
    return said[:, : len(closes)], state


def test_a_dozen_strategies_ship():
    assert list_strategies() == (
        "atr_channel", "bollinger_reversion", "buy_and_hold", "donchian_breakout", "ema_cross", "macd_trend",
        "momentum_rank", "pairs_zscore", "random", "rsi_reversion", "sma_cross", "vol_target_trend",
    )  # fmt: skip


@pytest.mark.parametrize("name", list_strategies())
def test_every_strategy_documents_itself_and_its_parameters(name):
    strategy = get_strategy(name)
    assert strategy.name == name
    assert strategy.doc
    assert all(parameter.doc for parameter in strategy.parameters)
    assert strategy.warmup(strategy.bind()) >= 1


def test_sma_cross_is_long_while_the_fast_average_is_above():
    # SMA(1) against SMA(3): averages 2, 3, 3, 2 from the third bar on
    closes = [1.0, 2.0, 3.0, 4.0, 2.0, 0.0]
    assert np.array_equal(said_on(get_strategy("sma_cross"), closes, fast=1, slow=3), [NAN, NAN, 1, 1, 0, 0], True)
    both = said_on(get_strategy("sma_cross"), closes, fast=1, slow=3, side="both")
    assert np.array_equal(both, [NAN, NAN, 1, 1, -1, -1], True)


def test_sma_cross_with_equal_averages_is_flat():
    assert np.array_equal(said_on(get_strategy("sma_cross"), [5.0] * 4, fast=1, slow=3), [NAN, NAN, 0, 0], True)


def test_sma_cross_begins_when_both_averages_exist_also_if_fast_is_the_longer():
    assert np.array_equal(said_on(get_strategy("sma_cross"), [3.0, 2.0, 1.0], fast=3, slow=1), [NAN, NAN, 1], True)


def test_ema_cross_is_long_while_the_fast_average_is_above():
    # EMA(1) is the close; EMA(3): 2 (the mean of three), then (4 - 2) / 2 + 2 = 3, then (2 - 3) / 2 + 3 = 2.5
    said = said_on(get_strategy("ema_cross"), [1.0, 2.0, 3.0, 4.0, 2.0], fast=1, slow=3)
    assert np.array_equal(said, [NAN, NAN, 1, 1, 0], True)


def test_macd_trend_is_long_while_macd_is_above_its_signal():
    # fast=1, slow=2, signal=2: MACD 0.5, 1, -0.5 …, the signal its mean 0.75, then 2/3 of the way to each next
    said = said_on(get_strategy("macd_trend"), [1.0, 2.0, 4.5, 1.0], fast=1, slow=2, signal=2, side="both")
    assert np.array_equal(said, [NAN, NAN, 1, -1], True)


def test_rsi_reversion_holds_from_oversold_until_the_exit():
    closes = [10.0, 9.0, 8.0, 8.5, 12.0, 13.0]
    said = said_on(get_strategy("rsi_reversion"), closes, window=2, oversold=20, exit=50, overbought=80)
    # RSI(2): 0 at 8; 1/3 at 8.5 (gain .25, loss .5); above 50 from 12 on
    assert np.array_equal(said, [NAN, NAN, 1, 1, 0, 0], True)
    both = said_on(get_strategy("rsi_reversion"), closes, window=2, oversold=20, exit=50, overbought=80, side="both")
    assert np.array_equal(both, [NAN, NAN, 1, 1, -1, -1], True)


def test_bollinger_reversion_buys_below_the_band_and_sells_at_the_average():
    closes = [10.0, 10.0, 10.0, 7.0, 8.0, 10.0, 13.0]
    said = said_on(get_strategy("bollinger_reversion"), closes, window=4, width=1.5, side="both")
    # at 7: mean 9.25, deviation 1.30, band 7.30; at 8: mean 8.75; at 10: mean 8.75; at 13: mean 9.5, band 12.94
    assert np.array_equal(said, [NAN, NAN, NAN, 1, 1, 0, -1], True)


def test_donchian_breakout_enters_at_new_highs_and_leaves_at_new_lows():
    closes = [10.0, 11.0, 10.5, 11.5, 11.2, 10.4, 9.0]
    said = said_on(get_strategy("donchian_breakout"), {"close": closes, "high": closes, "low": closes}, entry=3, exit=2)
    # 11.5 is above the three highs before it, 11.2 not below the two lows before it, 10.4 is
    assert np.array_equal(said, [NAN, NAN, NAN, 1, 1, 0, 0], True)


def test_donchian_breakout_ignores_a_bar_that_only_pierces_the_channel():
    bars = {"close": [10.0, 10.0, 10.0], "high": [11.0, 11.0, 12.0], "low": [9.0, 9.0, 9.0]}
    assert said_on(get_strategy("donchian_breakout"), bars, entry=2, exit=2)[-1] == 0.0
    bars = {"close": [10.0, 10.0, 12.0, 11.0], "high": [11.0, 11.0, 12.0, 12.0], "low": [9.0, 9.0, 10.0, 5.0]}
    assert said_on(get_strategy("donchian_breakout"), bars, entry=2, exit=2)[-2:].tolist() == [1.0, 1.0]


def test_atr_channel_sets_its_stops_once_and_has_no_opinion_until_its_exit():
    strategy = get_strategy("atr_channel")
    close = [10.0, 10.0, 13.0, 13.5, 11.0, 13.0]
    bars = bars_of(close, high=[x + 0.5 for x in close], low=[x - 0.5 for x in close])
    said, _ = drive(strategy, strategy.bind(window=2, width=1.0, stop=2.0, trail=3.0), tape_of({"A": bars}))
    # EMA(2) at 13: 10 + 2/3 * 3 = 12; ranges 1 and 3.5: ATR 2.25: not above 14.25. At 13.5: EMA 13, ATR 1.625
    assert np.isnan(said[:5, 0]).all()
    said, _ = drive(strategy, strategy.bind(window=2, width=0.2, stop=2.0, trail=3.0), tape_of({"A": bars}))
    value, stop_loss, take_profit, trail = said[2, [0, 5, 6, 7]]
    assert (value, stop_loss, trail) == (1.0, 13.0 - 2 * 2.25, 3 * 2.25)
    assert np.isnan(take_profit)
    assert np.isnan(said[3, 0])
    assert (said[4, 0], np.isnan(said[4, 5])) == (0.0, True)


def test_momentum_rank_holds_the_strongest_and_renews_every_version():
    closes = {
        "A": [100.0, 100.0, 110.0, 110.0, 110.0, 110.0],
        "B": [100.0, 100.0, 120.0, 120.0, 90.0, 90.0],
        "C": [100.0, 100.0, 110.0, 110.0, 150.0, 150.0],
    }
    said, state = several(get_strategy("momentum_rank"), closes, lookback=2, every=2, top=2, invest=0.9)
    # t = 1 is too early; t = 3: A and C are equal, the earlier one is taken; t = 5: 1, 0.75, 1.36
    assert np.isnan(said[:3]).all()
    assert said[3].tolist() == [0.45, 0.45, 0.0]
    assert said[4].tolist() == said[3].tolist()
    assert said[5].tolist() == [0.45, 0.0, 0.45]
    assert state.targets.version.tolist() == [2, 2, 2]


def test_momentum_rank_gives_nothing_to_symbols_that_are_not_listed_yet():
    closes = {"A": [NAN, NAN, NAN, 5.0], "B": [10.0, 9.0, 8.0, 7.0], "C": [NAN] * 4}
    said, _ = several(get_strategy("momentum_rank"), closes, lookback=3, every=1, top=2, invest=1.0)
    assert said[-1].tolist() == [0.0, 0.5, 0.0]


def test_momentum_rank_takes_the_top_of_many_as_sorting_would():
    rng = np.random.default_rng(5)
    closes = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.02, (90, 40)), axis=0)), 0)  # rounded: many are equal
    said, _ = several(
        get_strategy("momentum_rank"),
        {f"S{each}": closes[:, each] for each in range(40)},
        lookback=20, every=5, top=7, invest=0.7,
    )  # fmt: skip
    for t in range(24, 90, 5):
        strength = closes[t] / closes[t - 20]
        best = np.argsort(-strength, kind="stable")[:7]
        assert np.flatnonzero(said[t]).tolist() == sorted(best)
        assert np.allclose(said[t][best], 0.1)


def test_pairs_zscore_sells_the_dear_leg_and_buys_the_cheap_one():
    first = [10.0, 10.0, 10.1, 10.0, 12.0, 12.0, 11.0, 11.1]
    closes = {"A": first, "B": [10.0] * 8}
    said, state = several(get_strategy("pairs_zscore"), closes, window=4, entry=1.5, exit=0.5, weight=0.4)
    ratio = np.log(np.array(first) / 10.0)
    z = [(ratio[t] - ratio[t - 3 : t + 1].mean()) / ratio[t - 3 : t + 1].std() for t in range(3, 8)]
    expected, held = [], 0.0
    for score in z:
        held = -1.0 if score > 1.5 else 1.0 if score < -1.5 else 0.0 if abs(score) < 0.5 else held
        expected.append(held)
    assert np.isnan(said[:3]).all()
    assert np.array_equal(said[3:, 0], 0.4 * np.array(expected))
    assert np.array_equal(said[3:, 1], -said[3:, 0])
    assert -1.0 in expected
    assert state.targets.version[0] == 1 + np.count_nonzero(np.diff(expected))


def test_pairs_zscore_leaves_out_bars_on_which_one_leg_has_not_traded():
    strategy = get_strategy("pairs_zscore")
    params = strategy.bind(window=3)
    tape = tape_of({"A": bars_of([10.0, 10.1, 10.0, 10.2]), "B": bars_of([10.0] * 4)})
    whole, _ = drive(strategy, params, tape)
    stale = tape.changed(lambda column: np.insert(column, 2, column[1], axis=0))
    stale.fresh[2] = [1, 0]
    found, _ = drive(strategy, params, stale)
    assert np.array_equal(np.delete(found, 2, axis=0), whole, equal_nan=True)


def test_vol_target_trend_divides_wanted_by_realised_volatility():
    closes = [100.0, 101.0, 100.0, 102.0]
    said = said_on(
        get_strategy("vol_target_trend"), closes, trend=2, window=3, volatility=0.2, bars_per_year=100, step=0.01
    )
    realised = np.diff(np.log(closes)).std(ddof=1) * 10
    assert np.isnan(said[:3]).all()
    assert said[3] == pytest.approx(round(0.2 / realised, 2))
    capped = said_on(get_strategy("vol_target_trend"), closes, trend=2, window=3, volatility=5.0, weight_max=1.5)
    assert capped[3] == pytest.approx(1.5)


def test_vol_target_trend_is_flat_or_short_below_its_average():
    closes = [100.0, 101.0, 102.0, 99.0]
    trend = get_strategy("vol_target_trend")
    assert said_on(trend, closes, trend=3, window=2)[-1] == 0.0
    assert said_on(trend, closes, trend=3, window=2, side="both")[-1] < 0.0


def test_buy_and_hold_holds_its_weight_from_the_first_bar():
    assert said_on(get_strategy("buy_and_hold"), [5.0, 4.0], weight=0.7).tolist() == [0.7, 0.7]


def test_random_is_decided_by_its_seed():
    closes = [100.0] * 400
    one, again, other = (said_on(get_strategy("random"), closes, seed=seed, hold=5) for seed in (1, 1, 2))
    assert one.tolist() == again.tolist()
    assert one.tolist() != other.tolist()
    assert set(one) == {0.0, 1.0}
    assert set(said_on(get_strategy("random"), closes, hold=5, side="both")) == {-1.0, 0.0, 1.0}


def test_random_holds_as_long_as_asked_on_average():
    said = said_on(get_strategy("random"), [100.0] * 20_000, hold=10)
    changes = np.count_nonzero(np.diff(said))
    assert changes == pytest.approx(20_000 / 10 / 2, rel=0.1)  # every second draw is what is held already


@given(
    st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0, np.inf]) | st.floats(allow_nan=False), min_size=1),
    st.data(),
)
def test_selection_finds_what_sorting_finds(values, data):
    n = data.draw(st.integers(1, len(values)))
    assert _nth_largest(np.array(values), n) == sorted(values)[-n]
