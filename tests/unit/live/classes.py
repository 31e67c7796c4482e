"""Strategies as classes, to be put into sets by tests."""

from collections.abc import Mapping
from math import nan
from typing import NamedTuple

from apps.signals.interface import Channel, ClassStrategy, Int, strategy
from trading.bars import Bar
from trading.targets import GTC, LIMIT, LOTS, Target


class Params(NamedTuple):
    window: int


class Rising(ClassStrategy):
    """Long while the close is above that of `window` bars ago."""

    def initialize(self, params: Params) -> list[Channel]:
        self.window = params.window
        self.closes: list[float] = []
        return []

    def event(self, data: Bar | Mapping[str, Bar]) -> float | None:
        assert isinstance(data, Bar)
        self.closes.append(data.close)
        if len(self.closes) <= self.window:
            return None
        return 1.0 if data.close > self.closes[-1 - self.window] else 0.0


WINDOW = (Int("window", 3, low=1, high=50, doc="bars"),)


@strategy(parameters=WINDOW, warmup=lambda params: params.window + 1, name="rising")
class SettlingRising(Rising):
    """Settles."""

    def initialize(self, params: Params) -> list[Channel]:
        return super().initialize(params)


@strategy(parameters=WINDOW, settles="never", name="counting")
class Counting(ClassStrategy):
    """Turns every `window` bars, counted from its first."""

    def initialize(self, params: Params) -> list[Channel]:
        self.window, self.count = params.window, 0
        return []

    def event(self, data: Bar | Mapping[str, Bar]) -> None:
        self.count += 1
        self.portfolio.target_weight(float(self.count // self.window % 2))


@strategy(settles="never", channels=2)
class Larger(ClassStrategy):
    """All in what has risen more since its first bar."""

    def initialize(self, _params: object) -> list[Channel]:
        self.first: dict[str, float] = {}
        return []

    def event(self, data: Bar | Mapping[str, Bar]) -> dict[str, float]:
        assert not isinstance(data, Bar)
        risen = {name: bar.close / self.first.setdefault(name, bar.close) for name, bar in data.items()}
        best = max(risen, key=lambda name: risen[name])
        return {name: float(name == best) for name in data}


@strategy(settles="never")
class Curious(ClassStrategy):
    """Looks at an account."""

    def initialize(self, _params: object) -> list[Channel]:
        return []

    def event(self, data: Bar | Mapping[str, Bar]) -> float:
        return 1.0 if self.portfolio.equity > 0 else 0.0  # the line that is told


@strategy(settles="never")
class Particular(ClassStrategy):
    """Wants a channel of its own."""

    def initialize(self, _params: object) -> list[Channel]:
        return [Channel("OANDA:USDJPY", "1h")]

    def event(self, data: Bar | Mapping[str, Bar]) -> float:
        return 1.0


@strategy(settles="never", channels=1)
class Undecided(ClassStrategy):
    """Half a lot at a limit first, then half of equity at market."""

    def initialize(self, _params: object) -> list[Channel]:
        self.bars = 0
        return []

    def event(self, data: Bar | Mapping[str, Bar]) -> float | Target:
        assert isinstance(data, Bar)
        self.bars += 1
        return Target(0.5, LOTS, LIMIT, data.close, *(nan,) * 4, GTC, 0, 1) if self.bars == 1 else 0.5
