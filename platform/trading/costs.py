"""What a fill costs: fees, and the way from the quote to the price that is paid."""

from typing import NamedTuple

from trading.compiled import inner_kernel
from trading.money import to_tick


class Costs(NamedTuple):
    """The cost rules of an account. Rates are shares (5 bps is 0.0005), amounts are in account currency."""

    fee_rate: float  # of notional
    fee_unit: float  # per unit of the instrument
    fee_lot: float  # per lot
    fee_minimum: float  # per fill
    half_spread: float  # in price, for bars without quotes
    slip_rate: float  # of price
    slip_fixed: float  # in price
    slip_volume: float  # k in k x share^2 x price, share: our part of the bar's volume
    volume_cap: float  # largest share of a bar's volume that is filled; 0: no cap


@inner_kernel
def fee_of(costs: Costs, notional: float, lots: float, contract_size: float) -> float:
    """Return the fee of a fill of `lots` (> 0) with `notional` (> 0, account currency)."""
    fee = notional * costs.fee_rate + lots * (contract_size * costs.fee_unit + costs.fee_lot)
    return max(fee, costs.fee_minimum)


@inner_kernel
def taker_price(costs: Costs, quote: float, side: int, share: float, tick: float) -> float:
    """Return what a taker pays on `quote`: slippage against it (side 1 buys, -1 sells), then a whole tick.

    `share` is the fill's part of the bar's volume; its impact is the quadratic rule of Zipline's volume share model.
    """
    price = quote * (1.0 + side * costs.slip_rate) + side * costs.slip_fixed
    if costs.slip_volume > 0.0:
        price += side * costs.slip_volume * share * share * quote
    return to_tick(price, tick, side)
