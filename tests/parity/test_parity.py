"""Every shipped strategy trades live what a backtest says that it trades: on real bars, in one run of the pipeline."""

from dataclasses import replace
from pathlib import Path

import pytest

from apps.backtest.parity import Case, backtest, compare, told
from apps.backtest.request import DataRequest, Loaded
from settings.lockstep import paper_broker, trade

SAMPLE = Path(__file__).resolve().parents[2] / "apps/feeds/sample"
EURUSD = "OANDA:EURUSD"
GERMAN = "TEST:GERMAN"
FUNDS = ("NYSEARCA:SPY", "NASDAQ:QQQ", "NYSEARCA:IWM", "NYSE:IBM")
ONE_AT_A_TIME = str(Path(__file__).with_name("weights_drawn.py"))
DRAWN = str(Path(__file__).with_name("orders_drawn.py"))
ONE_CHANNEL = (
    Case(strategy="sma_cross", params={"fast": 5, "slow": 20}, channels=(EURUSD,), options={"fee_bps": 0.5}),
    Case(strategy="ema_cross", params={"fast": 5, "slow": 20}, channels=(EURUSD,), options={"fee_bps": 0.5}),
    Case(strategy="macd_trend", params={"fast": 4, "slow": 9, "signal": 3}, channels=(EURUSD,)),
    Case(strategy="rsi_reversion", params={"window": 5}, channels=(EURUSD,), options={"sizing": "percent:40"}),
    Case(strategy="bollinger_reversion", params={"window": 10}, channels=(EURUSD,)),
    Case(strategy="donchian_breakout", params={"entry": 12, "exit": 6}, channels=(EURUSD,)),
    Case(strategy="vol_target_trend", params={"trend": 20, "window": 10, "bars_per_year": 6240.0}, channels=(EURUSD,)),
    Case(
        strategy="atr_channel",
        params={"window": 6, "width": 0.5, "stop": 1.0, "trail": 1.5, "side": "both"},
        channels=(EURUSD,),
    ),
    Case(strategy="buy_and_hold", channels=(EURUSD,), options={"fee_bps": 2.0}),
    Case(strategy="random", params={"hold": 5, "side": "both"}, channels=(EURUSD,), options={"sizing": "lots:20000"}),
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["feeds", "signals", "execution", "risk", "edge"])


def _loaded(files: dict[str, str], first: str, last: str) -> Loaded:
    paths = tuple(str(SAMPLE / name) for name in files.values())
    return DataRequest(instruments=tuple(files), files=paths, start=first, end=last, adjust="none").load()


def _differences(cases, loaded: Loaded, folder: Path) -> list[str]:
    with paper_broker(folder) as broker:
        bars, traded = trade(cases, loaded, broker)
    found = []
    for case, live in zip(cases, traded, strict=True):
        assert live.fills, f"{case.strategy} has not traded: the span shows nothing"
        found += [f"{case.strategy}: {line}" for line in told(compare(case, live, backtest(case, bars, loaded)))]
    return found


def test_strategies_on_one_instrument_trade_live_as_in_a_backtest(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-01-09")
    assert not _differences(ONE_CHANNEL, loaded, tmp_path)


def test_entries_and_brackets_of_every_kind_trade_live_as_in_a_backtest(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-01-09")
    cases = [
        Case(strategy=DRAWN, params={"seed": seed}, channels=(EURUSD,), options={"fee_bps": 0.5})
        for seed in range(1, 9)
    ]
    assert not _differences(cases, loaded, tmp_path)


def test_hedging_accounts_trade_live_as_in_a_backtest(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-01-09")
    cases = [replace(case, options={**case.options, "accounting": "hedging"}) for case in ONE_CHANNEL]
    assert not _differences(cases, loaded, tmp_path)


def test_strategies_on_several_instruments_trade_live_as_in_a_backtest(tmp_path):
    files = {name: f"{name.partition(':')[2].lower()}_1d.csv.gz" for name in FUNDS}
    loaded = _loaded(files, "2002-01-02", "2002-03-01")
    cases = (
        Case(strategy=ONE_AT_A_TIME, params={"seed": 3}, channels=FUNDS, options={"fee_bps": 1.0}),
        Case(strategy="pairs_zscore", params={"window": 8, "entry": 1.0, "exit": 0.3}, channels=FUNDS[:2]),
        Case(strategy="momentum_rank", params={"lookback": 5, "every": 3, "top": 2}, channels=FUNDS),
    )
    assert not _differences(cases, loaded, tmp_path)


def test_volatility_and_kelly_size_live_as_in_a_backtest(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-01-12")
    fast = {"strategy": "rsi_reversion", "params": {"window": 2}, "channels": (EURUSD,)}
    cases = [
        Case(**fast, options={"sizing": "vol:15", "fee_bps": 0.5}),
        Case(**fast, options={"sizing": "kelly:2", "fee_bps": 0.2}),
        Case(strategy=DRAWN, params={"seed": 5}, channels=(EURUSD,), options={"sizing": "kelly:1"}),
    ]
    assert not _differences(cases, loaded, tmp_path)


def test_swap_is_charged_live_as_in_a_backtest(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-06", "2016-01-09")
    costs = {"fee_bps": 0.5, "swap_long_pct": 3.0, "swap_short_pct": -1.5}
    cases = [
        Case(strategy="random", params={"hold": 20, "side": "both"}, channels=(EURUSD,), options=costs),
        Case(strategy=DRAWN, params={"seed": 6}, channels=(EURUSD,), options=costs),
    ]
    assert not _differences(cases, loaded, tmp_path)


def test_accounts_in_other_currencies_trade_live_as_in_a_backtest(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz", GERMAN: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-01-07")
    loaded.instruments[GERMAN] = replace(loaded.instruments[EURUSD], id=GERMAN, currency="EUR", contract_size=25.0)
    fee, drawn = {"fee_bps": 0.5}, {"strategy": DRAWN, "params": {"seed": 4}}
    cases = [
        Case(strategy="rsi_reversion", params={"window": 4}, channels=(GERMAN,), options={"currency": "USD", **fee}),
        Case(strategy="rsi_reversion", params={"window": 4}, channels=(EURUSD,), options={"currency": "EUR", **fee}),
        Case(strategy=ONE_AT_A_TIME, params={"seed": 3}, channels=(GERMAN, EURUSD), options=fee),
        Case(**drawn, channels=(GERMAN,), options={"currency": "USD", **fee}),
        Case(**drawn, channels=(EURUSD,), options={"currency": "EUR", "sizing": "risk:1"}),
    ]
    assert not _differences(cases, loaded, tmp_path)


def test_what_is_converted_over_two_pairs_is_traded_live_as_in_a_backtest(tmp_path):
    names = {"TEST:NIKKEI": "JPY", "TEST:USDJPY": "JPY", "TEST:CHFUSD": "USD"}
    files = dict.fromkeys((EURUSD, *names), "eurusd_1h_quotes.csv.gz")
    loaded = _loaded(files, "2016-01-04", "2016-01-07")
    for name, currency in names.items():
        loaded.instruments[name] = replace(loaded.instruments[EURUSD], id=name, currency=currency)
    of = {"channels": ("TEST:NIKKEI",), "options": {"currency": "CHF", "fee_bps": 0.5}, "via": "USD"}
    cases = [
        Case(strategy="rsi_reversion", params={"window": 4}, **of),
        Case(strategy=DRAWN, params={"seed": 4}, **of),
    ]
    assert not _differences(cases, loaded, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("first", range(1, 41, 5))
def test_entries_and_brackets_of_a_month_trade_live_as_in_a_backtest(tmp_path, first):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-02-04")
    cases = [Case(strategy=DRAWN, params={"seed": seed}, channels=(EURUSD,)) for seed in range(first, first + 5)]
    assert not _differences(cases, loaded, tmp_path)


@pytest.mark.soak
def test_a_quarter_of_hours_is_traded_live_as_in_a_backtest(tmp_path):
    loaded = _loaded({EURUSD: "eurusd_1h_quotes.csv.gz"}, "2016-01-04", "2016-04-01")
    assert not _differences(ONE_CHANNEL, loaded, tmp_path)
