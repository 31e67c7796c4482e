"""What a simulation leaves behind, in plain Python."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Fill(NamedTuple):
    """One fill: `bar` is the index of the bar at whose open it happened, `quantity` is signed (bought > 0)."""

    bar: int
    symbol: int
    quantity: float
    price: float
    fee: float


class Trade(NamedTuple):
    """One round trip of an account that is either flat or all-in: entered by one fill and left by one."""

    entry_bar: int
    exit_bar: int
    quantity: float
    entry_price: float
    exit_price: float
    pnl: float
    is_open: bool


@dataclass
class Books:
    """The books of one simulated account; `equity` has one value per bar, marked at its close."""

    cash: float
    fills: list[Fill] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)

    def trade(self, bar: int, symbol: int, quantity: float, price: float, fee_rate: float) -> None:
        """Book a fill of `quantity` at `price`, with a fee of `fee_rate` times its notional."""
        fee = abs(quantity) * price * fee_rate
        self.cash -= quantity * price + fee
        self.fills.append(Fill(bar, symbol, quantity, price, fee))

    @property
    def fees_paid(self) -> float:
        """All fees, account currency."""
        return sum(fill.fee for fill in self.fills)
