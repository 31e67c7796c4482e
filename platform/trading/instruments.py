"""What trading needs to know of an instrument."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable instrument of one venue.

    `id` is "VENUE:SYMBOL". Prices are quoted in `currency` per unit; one lot is `contract_size` units. `tick_size` (in
    price) and `lot_step` and `lot_min` (in lots) are 0 where the instrument has none; without a lot step quantities are
    fractions. `margin_rate` is the least share of notional held as margin (0: the account's leverage alone decides).
    `calendar` names the session calendar ("24x7", "24x5", or an exchange's ISO 10383 code such as "XNYS"). `time_zone`
    is the IANA zone in which the session day turns, `day_turn_minutes` after local midnight (-420: at 17:00 of the
    evening before, as in foreign exchange).
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
