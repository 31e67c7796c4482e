"""What the test of a strategy needs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.signals.checking import check_strategy
from apps.signals.declaration import Strategy
from apps.signals.driving import drive, tape_of
from apps.signals.samples import sample_tapes
from trading.bars import Bars, Floats

_DAY = 86_400_000_000_000


def said_on(strategy: Strategy, prices: Sequence[float] | Mapping[str, Sequence[float]], **params: Any) -> Floats:
    """Return the value of the target that the strategy gives at each of a few daily bars, of shape (bars,).

    `prices` are the closes, or columns by name, `close` among them; the others are made as in `bars_of`.
    """
    columns = prices if isinstance(prices, Mapping) else {"close": prices}
    tape = tape_of({"TEST": bars_of(**columns)})
    return drive(strategy, strategy.bind(**params), tape)[0][:, 0]


def bars_of(close: Sequence[float], **columns: Sequence[float]) -> Bars:
    """Return daily bars with these closes, and of the other columns those that are given.

    An open is the close before, high and low are the larger and the smaller of open and close, volumes are 1.
    """
    closes = np.array(close, np.float64)
    opens = np.array(columns.get("open", [*closes[:1], *closes[:-1]]), np.float64)
    return Bars(
        time=np.arange(closes.size) * _DAY,
        open=opens,
        high=np.array(columns.get("high", np.maximum(opens, closes)), np.float64),
        low=np.array(columns.get("low", np.minimum(opens, closes)), np.float64),
        close=closes,
        volume=np.array(columns.get("volume", np.ones(closes.size)), np.float64),
        interval=_DAY,
    )


def failed_checks(strategy: Strategy, **params: Any) -> list[str]:
    """Return one line for every check of `manage.py check_strategy` that fails on the sample bars."""
    return [
        f"{sample}: {finding.check}: {finding.found}"
        for sample, tape in sample_tapes(strategy).items()
        for finding in check_strategy(strategy, strategy.bind(**params), tape)
        if finding.holds is False
    ]
