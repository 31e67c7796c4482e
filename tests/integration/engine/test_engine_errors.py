"""What a user is told: by whom, about what, and what to do."""

from typing import Any

import numpy as np
import pytest

from apps.backtest.interface import BarsError, ChannelsError, CurrencyError, OptionError, run
from apps.signals.interface import NoParams, NoState, StrategyError, strategy
from tests.integration.engine.scripted import (
    DAY_NS,
    Replaying,
    as_class,
    bars_of,
    fills,
    flat,
    limit,
    lots,
    quotes_of,
    stop,
    stop_limit,
    trade,
    trade_several,
    weight,
)
from trading.bars import Bar, Bars
from trading.instruments import Instrument


def broken(**columns: Any) -> dict[str, Any]:
    """Return five bars of which row 3 has other values in these columns."""
    bars = bars_of(flat(100, 5))
    for name, value in columns.items():
        bars[name][3] = value
    return bars


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"close": np.nan}, "bars, row 3: close is nan"),
        ({"open": np.inf, "high": np.inf}, "row 3: open is inf"),
        ({"low": 0.0}, "row 3: low is 0"),
        ({"low": -1.0}, "row 3: low is -1"),
        ({"high": 99.0}, "row 3: open and close must lie between low and high .*high 99"),
        ({"time": 0}, "row 3: its time is not after that of the row before"),
    ],
)
def test_impossible_bars_are_refused_by_row(change: dict[str, float], said: str) -> None:
    with pytest.raises(BarsError, match=said):
        run("buy_and_hold", broken(**change))


def test_first_bad_row_is_the_one_that_is_named() -> None:
    bars = broken(close=np.nan)
    bars["close"][1] = -5.0
    with pytest.raises(BarsError, match="row 1: close is -5"):
        run("buy_and_hold", bars)


def test_channel_with_the_bad_row_is_named() -> None:
    with pytest.raises(BarsError, match="V:B, row 3"):
        run("momentum_rank", {"V:A": bars_of(flat(100, 5)), "V:B": broken(close=np.nan)})


def test_bid_above_ask_is_refused_by_row() -> None:
    bars = quotes_of([(100, 103, 97, 100)] * 5, 0.5)
    bars["bid_open"][2] = 101.0
    with pytest.raises(BarsError, match="row 2: bid_open 101 and ask_open 100.5 are no quote"):
        run("buy_and_hold", bars)


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        ({"open": [1.0], "close": [1.0]}, "no column high, low; the columns are open, close"),
        ({"bid_close": [1.0], "close": [1.0]}, "quote bars need all of bid_open"),
        ({"open": [1.0, 2], "high": [1.0], "low": [1.0], "close": [1.0]}, "open has 2 rows, close has 1"),
        ({"open": ["x"], "high": [1.0], "low": [1.0], "close": [1.0]}, "column open is not numbers"),
        ({"open": [], "high": [], "low": [], "close": []}, "there are no bars"),
        ({}, "no bars: give at least one"),
        (7, "give a DataFrame or a dict of arrays"),
    ],
)
def test_what_is_no_bars_is_refused(bars: Any, said: str) -> None:
    with pytest.raises(BarsError, match=said):
        run("buy_and_hold", bars)


@pytest.mark.parametrize("volume", [-1.0, np.inf, -np.inf])
def test_impossible_volume_is_refused_by_row(volume: float) -> None:
    bars = bars_of([(*row, 10.0) for row in flat(100, 5)])
    bars["volume"][1], bars["volume"][3] = np.nan, volume
    for given in (bars, {"V:A": bars_of(flat(100, 5)), "V:B": bars}):
        with pytest.raises(BarsError, match=f"row 3: volume is {volume:g}, volumes are finite and not negative"):
            run("momentum_rank", given)


def test_volume_may_be_unknown() -> None:
    bars = bars_of([(*row, np.nan) for row in flat(100, 3)])
    assert trade(bars, {0: lots(1)}).n_fills == 1


WRONG = {
    "value=inf: write a finite number": weight(np.inf),
    "mode=7: write WEIGHT": weight(1.0)._replace(mode=7),
    "entry=4: write MARKET": weight(1.0, entry=4),
    "entry=-1: write MARKET": weight(1.0, entry=-1),
    "time_in_force=9: write GTC": weight(1.0, time_in_force=9),
    "price=nan: write a price above 0, for an entry by limit": limit(1.0, np.nan),
    "price=0.0: write a price": stop(1.0, 0.0),
    "limit_price=nan: write a price above 0, for an entry by stop-limit": stop_limit(1.0, 99.0, np.nan),
}


@pytest.mark.parametrize("said", WRONG)
def test_target_that_cannot_be_is_refused_with_its_time_and_field(said: str) -> None:
    wrong, later = WRONG[said], lots(1.0)
    where = "scripted.py: .*: the target given at 2020-01-08T00:00:00 for"
    with pytest.raises(StrategyError, match=f"{where} bars has {said}"):
        trade(flat(100, 5), {0: lots(2.0), 1: wrong, 3: later})
    several = {"V:A": bars_of(flat(100, 5)), "V:B": bars_of(flat(100, 5))}
    with pytest.raises(StrategyError, match=f"{where} V:B has {said}"):
        trade_several(several, {(0, 0): lots(2.0), (1, 1): wrong, (3, 1): later})
    with pytest.raises(StrategyError, match=f"{where} bars has {said}"):
        run(as_class(Replaying({1: wrong, 3: later}, ("bars",)), 1), bars_of(flat(100, 5)))


@strategy(warmup=lambda _params: 2)
def endless(_state: NoState, bar: Bar, _params: NoParams) -> float:
    """Ask for all there is."""
    return np.inf if bar.close > 100.0 else 0.0


@pytest.mark.parametrize("engine", ["auto", "events"])
def test_weight_without_end_is_refused_on_both_paths(engine: str) -> None:
    with pytest.raises(StrategyError, match="at 2020-01-09T00:00:00 for bars has value=inf: write a finite number"):
        run(endless, bars_of([*flat(100, 2), *flat(101, 3)]), engine=engine)


def test_volume_rules_need_volume_in_every_bar() -> None:
    with pytest.raises(BarsError, match="volume_cap and slippage_volume need a volume in every bar"):
        trade(flat(100, 3), {}, volume_cap=0.1)
    bars = bars_of([(*row, 10.0) for row in flat(100, 3)])
    bars["volume"][1] = np.nan
    with pytest.raises(BarsError, match="volume"):
        trade(bars, {}, slippage_volume=0.1)


def test_wrong_number_of_channels_is_said() -> None:
    one = bars_of(flat(100, 3))
    with pytest.raises(ChannelsError, match="sma_cross trades 1 channel, it was given 2: A, B"):
        run("sma_cross", {"A": one, "B": one})
    with pytest.raises(ChannelsError, match="pairs_zscore trades 2 channels, it was given 1"):
        run("pairs_zscore", {"A": one})


def test_other_currency_without_a_conversion_is_refused_with_what_to_give() -> None:
    euro = Instrument("V:EU", asset_class="equity", currency="EUR")
    with pytest.raises(
        CurrencyError, match=r"V:EU is quoted in EUR, the account is in USD: give conversion=\{'EUR': bars\}"
    ):
        run("buy_and_hold", bars_of(flat(100, 3)), instruments=euro, currency="USD")
    late = bars_of(flat(1.2, 2), start=bars_of(flat(1, 1))["time"][0] + 5 * DAY_NS)
    with pytest.raises(CurrencyError, match="conversion of EUR begins after the first bar of V:EU"):
        run("buy_and_hold", bars_of(flat(100, 3)), instruments=euro, currency="USD", conversion={"EUR": late})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cash": 0}, "cash=0: must be above 0"),
        ({"fee_bps": -1}, "fee_bps=-1: must not be negative"),
        ({"fee_bps": float("nan")}, "fee_bps=nan: write a finite number"),
        ({"leverage": "2"}, "leverage='2': write a number"),
        ({"volume_cap": 1.5}, "volume_cap=1.5: is a share"),
        ({"fill": "open"}, "fill='open': choose one of next-open, close"),
        ({"size_at": "x"}, "size_at='x': choose one of fill, decision"),
        ({"sizing": "half"}, "sizing='half': no such sizing; choose one of all-in"),
        ({"sizing": "all-in:3"}, "all-in takes no number"),
        ({"sizing": "risk:0"}, "write a positive number after the colon"),
        ({"rebalance": -0.1}, "rebalance=-0.1: must not be negative"),
        ({"feebps": 1}, "unknown option 'feebps'; the options are accounting, cash"),
    ],
)
def test_options_that_cannot_be_used_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        run("buy_and_hold", bars_of(flat(100, 3)), **options)


def test_bars_may_come_in_every_shape_with_the_same_result() -> None:
    import pandas as pd

    bars = bars_of([(100, 101, 99, 100), (101, 103, 100, 102), (102, 103, 100, 101)])
    index = pd.to_datetime(bars["time"], utc=True).tz_convert("America/New_York")
    prices = {name: column for name, column in bars.items() if name != "time"}
    shapes = [
        bars,
        {name.upper(): column.tolist() for name, column in bars.items()},
        pd.DataFrame(bars),
        pd.DataFrame(prices, index=index),
        prices | {"date": index.tz_convert("UTC").tz_localize(None).to_numpy("datetime64[s]")},
        Bars(interval=DAY_NS, **bars),
    ]
    results = [trade_on(each) for each in shapes]
    for result in results:
        assert fills(result) == fills(results[0])
        assert result.time.tolist() == results[0].time.tolist()


def trade_on(bars: Any) -> Any:
    from tests.integration.engine.scripted import replay

    return run(replay({0: lots(10)}, 3), bars)


def test_research_run_is_called_one() -> None:
    kinds = {"whole": Instrument("V:A", tick_size=0.01, lot_step=1.0), "fractions": Instrument("V:A", tick_size=0.01)}
    notes = {name: trade(flat(100, 3), {0: lots(1)}, instruments=kind).notes for name, kind in kinds.items()}
    assert notes["whole"] == ()
    assert notes["fractions"] == (
        "Research run: an instrument without lot step and tick is traded in fractions, money in float64.",
    )


def test_run_of_one_bar_has_no_fills_and_keeps_the_cash() -> None:
    result = trade(flat(100, 1), {0: lots(10)})
    assert result.n_fills == 0
    assert result.equity.tolist() == [100_000.0]
