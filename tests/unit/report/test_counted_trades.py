"""The picture counts trades as the metrics do."""

import numpy as np
import pytest

from apps.backtest.report.picture import _counted
from trading.ledger import TRADE_DTYPE


@pytest.mark.parametrize(
    ("still_open", "told"), [([0, 0], "2 trades"), ([0, 0, 1], "2 trades and 1 open"), ([], "0 trades")]
)
def test_open_trades_are_counted_on_their_own(still_open: list[int], told: str) -> None:
    trades = np.zeros(len(still_open), TRADE_DTYPE)
    trades["is_open"] = still_open
    assert _counted(trades) == told
