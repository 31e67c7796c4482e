"""A result at a prompt or in a notebook."""

import numpy as np

from apps.backtest.interface import run


def test_result_is_shown_in_one_line() -> None:
    close = np.arange(100.0, 110.0)
    result = run("buy_and_hold", {"open": close, "high": close, "low": close, "close": close}, cash=1000.0)
    assert repr(result) == (
        f"<Result buy_and_hold weight=1.0 on bars: 10 bars, 1 fills, final equity {result.final_equity:,.2f}>"
    )
