"""The crossing of two moving averages in the plain class form, one Python call per bar."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from apps.signals.interface import Channel, ClassStrategy, Int, strategy
from trading.bars import Bar


class Params(NamedTuple):
    """The two windows, in bars."""

    fast: int
    slow: int


@strategy(
    parameters=(
        Int("fast", 20, low=1, high=5000, doc="bars in the fast average"),
        Int("slow", 50, low=1, high=5000, doc="bars in the slow average"),
    ),
    warmup=lambda params: max(params.fast, params.slow),
)
class sma_class(ClassStrategy):  # noqa: N801  (a strategy's name is the name of its class)
    """Long while SMA(fast) > SMA(slow), flat otherwise."""

    def initialize(self, params: Params) -> Sequence[Channel]:
        self.params = params
        self.fast_window: deque[float] = deque([0.0] * params.fast, params.fast)
        self.slow_window: deque[float] = deque([0.0] * params.slow, params.slow)
        self.fast_sum = self.slow_sum = 0.0
        self.seen = 0
        return ()

    def event(self, data: Bar) -> float | None:  # type: ignore[override]
        close = data.close
        fast, slow = self.fast_window, self.slow_window
        self.fast_sum += close - fast[0]
        self.slow_sum += close - slow[0]
        fast.append(close)
        slow.append(close)
        self.seen += 1
        if self.seen < self.params.slow:
            return None
        return 1.0 if self.fast_sum / self.params.fast > self.slow_sum / self.params.slow else 0.0
