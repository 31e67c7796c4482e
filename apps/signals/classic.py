"""Strategies as plain Python classes, for code that cannot be compiled."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from trading.bars import Bar
from trading.targets import Target


class Channel(NamedTuple):
    """One stream of bars: an instrument ("VENUE:SYMBOL") at an interval ("1h")."""

    instrument: str
    interval: str


class Portfolio(Protocol):
    """The book that a class strategy trades, composed into it as `self.portfolio` before `initialize`.

    `channel` is the instrument's id; with one channel it may be left out.
    """

    @property
    def equity(self) -> float:
        """Equity at the last close, in account currency."""
        ...

    @property
    def cash(self) -> float:
        """Cash, in account currency."""
        ...

    def position(self, channel: str | None = None) -> float:
        """Return the lots held, signed."""
        ...

    def target_weight(
        self,
        weight: float,
        channel: str | None = None,
        *,
        stop_loss: float = ...,
        take_profit: float = ...,
        trail: float = ...,
    ) -> None:
        """Ask for `weight` times equity in the channel, signed; bracket prices are absolute, `trail` a distance."""
        ...

    def target_lots(
        self,
        lots: float,
        channel: str | None = None,
        *,
        stop_loss: float = ...,
        take_profit: float = ...,
        trail: float = ...,
    ) -> None:
        """Ask for `lots` in the channel, signed; bracket prices are absolute, `trail` a distance."""
        ...


class ClassStrategy(ABC):
    """A strategy that keeps its state in attributes.

    It gets what happens by `event` and says what it wants by what it returns, or by calling `self.portfolio`.
    """

    portfolio: Portfolio

    @abstractmethod
    def initialize(self, params: Any) -> Sequence[Channel]:
        """Take the parameters and return the channels wanted; an empty sequence takes those that the run has."""

    @abstractmethod
    def event(self, data: Bar | Mapping[str, Bar]) -> float | Target | Mapping[str, float | Target] | None:
        """Take in the bar that has closed and return the target, or None for no change.

        With one channel `data` is its Bar and the target a weight or a Target. With several it maps each instrument's
        id to its last bar, and so does the returned mapping, which may leave instruments out.
        """
