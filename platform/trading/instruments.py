"""What trading needs to know of an instrument."""

import math
from dataclasses import dataclass


class InstrumentError(ValueError):
    """An instrument was given a number that cannot be."""


def base_currency(instrument_id: str, currency: str) -> str:
    """Return the currency that a pair gives the price of one unit of, "" for what is no pair of currencies.

    A pair is known by its symbol, which ends with the currency that it is quoted in: OANDA:EURUSD is the price of one
    EUR in USD, as is EUR_USD or EUR/USD.
    """
    symbol = "".join(filter(str.isalnum, instrument_id.rpartition(":")[2]))
    base = symbol.removesuffix(currency) if currency else symbol
    return base if base != symbol and 3 <= len(base) <= 4 and base.isalpha() else ""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable instrument of one venue.

    `id` is "VENUE:SYMBOL". Prices are quoted in `currency` ("": the account's) per unit; one lot is `contract_size`
    units. `tick_size` (in price) and `lot_step` and `lot_min` (in lots) are 0 where the instrument has none; without a
    lot step quantities are fractions. `margin_rate` is the least share of notional held as margin (0: the account's
    leverage alone decides). `calendar` names the session calendar ("24x7", "24x5", or an exchange's ISO 10383 code such
    as "XNYS"). `time_zone` is the IANA zone in which the session day turns, `day_turn_minutes` after local midnight
    (-420: at 17:00 of the evening before, as in foreign exchange).
    """

    id: str
    asset_class: str = "unknown"  # equity, fx, crypto, index, commodity, future, unknown
    currency: str = "USD"
    tick_size: float = 0.0
    lot_step: float = 0.0
    lot_min: float = 0.0
    contract_size: float = 1.0
    margin_rate: float = 0.0
    calendar: str = "24x7"
    time_zone: str = "UTC"
    day_turn_minutes: int = 0

    def __post_init__(self) -> None:
        """Raise InstrumentError for a number that no instrument has."""
        for name in ("tick_size", "lot_step", "lot_min", "margin_rate"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise InstrumentError(f"{self.id}: {name}={getattr(self, name)!r} must be 0 or more, and finite")
        if not 0.0 < self.contract_size < math.inf:
            raise InstrumentError(f"{self.id}: contract_size={self.contract_size!r} must be above 0, and finite")
