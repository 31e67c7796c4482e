"""What a user gets wrong about bars and instruments is told, not traded on."""

import itertools

import numpy as np
import pytest

from apps.backtest.bars_input import seek_bad_row
from apps.backtest.interface import BarsError, CurrencyError, Options, prepare
from trading.bars import Bars
from trading.instruments import Instrument, InstrumentError
from trading.intervals import HOUR

PRICES = {name: [1.0, 2.0, 3.0] for name in ("open", "high", "low", "close")}


def test_times_with_a_fraction_are_refused() -> None:
    with pytest.raises(BarsError, match="times are numbers with a fraction"):
        prepare({**PRICES, "time": [0.0, 1.5, 2.5]}, Options())


def test_so_many_bars_without_times_that_they_cannot_be_days_are_refused() -> None:
    many = dict.fromkeys(PRICES, np.ones(200_000))
    with pytest.raises(BarsError, match='200,000 bars without times, counted as 1d each.*an interval such as "1m"'):
        prepare(many, Options())
    assert prepare(many, Options(), interval="1m").bars[0].time[-1] == 199_999 * HOUR // 60


def test_an_instrument_without_bars_is_named() -> None:
    with pytest.raises(BarsError, match="no bars for A:Y; there are bars for A:X"):
        prepare({"A:X": PRICES}, Options(), instruments={"A:Y": Instrument("A:Y")})


def test_any_instrument_in_another_currency_needs_a_conversion() -> None:
    with pytest.raises(CurrencyError, match="A:X is quoted in EUR, the account is in USD"):
        prepare({"A:X": PRICES}, Options(currency="USD"), instruments={"A:X": Instrument("A:X", currency="EUR")})


def test_an_unknown_instrument_is_in_the_currency_of_the_account() -> None:
    assert prepare(PRICES, Options(currency="EUR")).instruments[0].currency == "EUR"


def test_an_instrument_that_says_no_currency_is_in_that_of_the_account() -> None:
    file, euro = Instrument("A:X", currency=""), Instrument("A:Y", currency="EUR")
    both = {"A:X": PRICES, "A:Y": PRICES}
    assert prepare(both, Options(), instruments={"A:X": file, "A:Y": euro}).instruments[0].currency == "EUR"
    assert prepare(PRICES, Options(currency="GBP"), instruments=file).instruments[0].currency == "GBP"
    assert prepare(PRICES, Options(), instruments=file).currency == "USD"


def test_an_instrument_described_as_an_exchanges_is_taken_for_one() -> None:
    stock = Instrument("A:X", calendar="XNYS")
    assert prepare(PRICES, Options(), instruments=stock).periods_per_year == 252
    assert prepare(PRICES, Options()).periods_per_year == 365  # a Thursday, a Friday and a Saturday


def test_hours_of_an_exchange_whose_session_is_not_known_have_daily_returns_all_the_same() -> None:
    milan = Instrument("A:X", asset_class="equity", calendar="XMIL")
    prepared = prepare(PRICES, Options(), instruments=milan, interval="1h")
    assert prepared.periods_per_year == 252
    assert np.isnan(prepared.market.bars_per_year).all()


def test_bars_that_do_not_know_their_interval_are_given_their_spacing() -> None:
    columns = {name: np.array(values) for name, values in PRICES.items()}
    prepared = prepare(Bars(time=np.arange(3) * HOUR, **columns), Options())
    assert prepared.bars[0].interval == HOUR


@pytest.mark.parametrize("wrong", [{"contract_size": 0.0}, {"lot_step": -1.0}, {"tick_size": float("nan")}])
def test_an_impossible_instrument_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InstrumentError, match=next(iter(wrong))):
        Instrument("A:X", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [1, 2, 20, 400_000])
def test_the_first_of_two_bad_rows_is_found_wherever_they_lie(rows: int) -> None:
    columns = [np.full(rows, 100.0) for _ in range(4)]
    assert seek_bad_row(*columns)() == -1
    places = sorted({0, rows // 3, rows // 2, 13 * rows // 20, rows - 1})
    for first, second in itertools.combinations_with_replacement(places, 2):
        columns[3][[first, second]] = np.nan
        assert seek_bad_row(*columns)() == first
        columns[3][[first, second]] = 100.0
