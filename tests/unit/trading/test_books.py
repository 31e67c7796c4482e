import numpy as np
import pytest

from trading.books import At, Desk, Spec, book_fill, charge_swap, kelly_share, open_desk
from trading.costs import Costs
from trading.ledger import TARGET

COSTS = Costs(0.001, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SHARE = Spec(tick_size=0.01, lot_step=0.1, lot_min=0.0, contract_size=10.0, margin_rate=1.0, exact=1)
FRACTION = Spec(0.0, 0.0, 0.0, 1.0, 1.0, 0)


def fill(desk: Desk, lots: float, price: float, spec: Spec = SHARE, bar: int = 0, slot: int = 0) -> None:
    book_fill(desk, At(0, bar, 7, 2.0), spec, COSTS, slot, lots, (price, price - 0.5), TARGET)


def test_fill_moves_cash_by_amount_and_fee_in_account_currency() -> None:
    desk = open_desk(1000.0, 1, 1, 4)
    fill(desk, 0.3, 100.01)
    amount = 0.3 * 100.01 * 10 * 2
    fee = round(amount * 0.001, 6)
    row = desk.fills[0]
    assert desk.account["cash"][0] == row["cash"] == round(1000 - amount - fee, 6)
    assert row["fee"] == desk.account["fees"][0] == fee
    assert row["slippage"] == pytest.approx(0.3 * 0.5 * 10 * 2)
    assert (row["bar"], row["time"], row["quantity"], row["position"]) == (0, 7, 0.3, 0.3)


def test_entry_price_is_the_average_until_the_side_changes() -> None:
    desk = open_desk(1e6, 1, 1, 8)
    ticket = desk.tickets[0, 0]
    fill(desk, 1.0, 100.0)
    fill(desk, 3.0, 104.0)
    assert ticket["price"] == 103.0
    fill(desk, -2.0, 110.0)
    assert ticket["price"] == 103.0
    fill(desk, -5.0, 120.0)
    assert (ticket["price"], ticket["quantity"]) == (120.0, -3.0)


def test_tenths_of_lots_add_up_without_dust() -> None:
    desk = open_desk(1e6, 1, 1, 40)
    for _ in range(10):
        fill(desk, 0.1, 100.0)
    assert desk.books["quantity"][0] == 1.0
    for lots in (-0.3, -0.3, -0.3, -0.1):
        fill(desk, lots, 100.0)
    assert desk.books["quantity"][0] == desk.tickets["quantity"][0, 0] == 0.0


def test_tickets_that_are_all_closed_leave_exactly_nothing() -> None:
    desk = open_desk(1e6, 1, 4, 8)
    for slot, lots in ((0, 0.1), (1, 0.2), (0, -0.1), (1, -0.2)):
        fill(desk, lots, 100.0, FRACTION, slot=slot)
    assert desk.books["quantity"][0] == 0.0
    assert 0.1 + 0.2 - 0.1 - 0.2 != 0.0


def test_fills_beyond_the_buffer_are_counted_and_not_written() -> None:
    desk = open_desk(1e6, 1, 1, 2)
    whole = np.zeros(3, desk.fills.dtype)
    guarded = desk._replace(fills=whole[:2].view(np.recarray))
    for _ in range(3):
        fill(guarded, 1.0, 100.0)
    assert guarded.account["n_fills"][0] == 3
    assert whole["quantity"].tolist() == [1.0, 1.0, 0.0]
    assert guarded.books["quantity"][0] == 3.0


def test_volume_used_in_a_bar_begins_anew_with_the_next() -> None:
    desk = open_desk(1e6, 1, 1, 8)
    fill(desk, 1.0, 100.0, bar=3)
    fill(desk, -2.0, 100.0, bar=3)
    assert desk.books["used_lots"][0] == 3.0
    fill(desk, 1.0, 100.0, bar=4)
    assert desk.books["used_lots"][0] == 1.0


def test_swap_is_charged_on_notional_by_side_and_whole_to_the_millionth() -> None:
    desk = open_desk(1000.0, 1, 1, 4)
    at = At(0, 0, 7, 2.0)
    charge_swap(desk, at, SHARE, 100.0, (0.001, 0.002), 3)
    assert desk.account["swap"][0] == 0.0
    fill(desk, 0.3, 100.0)
    cash = desk.account["cash"][0]
    charge_swap(desk, at, SHARE, 33.333333, (0.001, 0.002), 3)
    paid = round(0.3 * 33.333333 * 10 * 2 * 0.001 * 3, 6)
    assert desk.books["swap"][0] == desk.account["swap"][0] == paid
    assert desk.account["cash"][0] == round(cash - paid, 6)


def test_kelly_share_limits_only_once_there_are_twenty_closed_trades() -> None:
    desk = open_desk(1e6, 1, 1, 100)
    gains = [0.10, -0.09] * 10
    for k, gain in enumerate(gains):
        assert kelly_share(desk.account[0]) == 1.0
        fill(desk, 1.0, 100.0, FRACTION, bar=k)
        fill(desk, -1.0, 100.0 * (1 + gain), FRACTION, bar=k)
    returns = np.array([gain - 0.001 * (1 + gain) for gain in gains])
    share = returns.mean() / (returns**2).mean()
    assert share < 0.9
    assert kelly_share(desk.account[0]) == pytest.approx(share)
    for _ in range(60):
        fill(desk, 1.0, 100.0, FRACTION)
        fill(desk, -1.0, 90.0, FRACTION)
    assert kelly_share(desk.account[0]) == 0.0
