"""What is said about an instrument that nobody knows."""

import pytest

from apps.feeds.catalogue import instrument_not_found


@pytest.mark.parametrize("asked", ["EURUSD", "eurusd", "EUR/USD", "OANDA:EURUSDX", "oanda:eurusd"])
def test_unknown_instrument_is_answered_with_the_one_that_was_meant(asked: str) -> None:
    assert "Did you mean OANDA:EURUSD?" in str(instrument_not_found(asked))


def test_instruments_of_ones_own_are_proposed_too() -> None:
    assert "Did you mean BINANCE:BTC-USDT?" in str(instrument_not_found("BTCUSDT", ("BINANCE:BTC-USDT",)))


def test_proposed_command_names_a_venue() -> None:
    told = str(instrument_not_found("ZZZZZZ"))
    assert "Did you mean" not in told
    assert "add_instrument VENUE:ZZZZZZ" in told
