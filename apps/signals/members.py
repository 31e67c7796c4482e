"""A strategy at work in a set: its state, what it has seen, and the last opinion it gave on each channel."""

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.signals.contracts import MemberSpec
from apps.signals.declaration import Strategy
from apps.signals.errors import StrategyError
from apps.signals.minds import FIRST_SECONDS_MAX, WIDTH, Mind, mind_of, weight_target
from apps.signals.registry import get_strategy
from apps.signals.slices import Shown, Slices
from banyan.calls import CALLS
from trading.targets import MARKET, Target

_VERSION = Target._fields.index("version")


@dataclass(slots=True)
class Member:
    """`opinions` is float64[11, channels] of `Target`'s fields, nan where there was none; `versions` counts them."""

    spec: MemberSpec
    strategy: Strategy
    params: Any
    mind: Mind
    slices: Slices
    opinions: NDArray[np.float64]
    versions: NDArray[np.int64]

    @classmethod
    def of(cls, spec: MemberSpec) -> "Member":
        """Return a strategy that has seen nothing.

        Raises StrategyError where it cannot be run live or has changed, UnknownStrategyError, StrategyParameterError.
        """
        CALLS.begin(spec.strategy, FIRST_SECONDS_MAX)
        try:
            known = get_strategy(spec.strategy)
        finally:
            CALLS.end()
        if known.code_hash != spec.code_hash:
            raise StrategyError(f"{spec.strategy} is no longer the code that the set was defined with: define it again")
        if known.channels is not None and known.channels != len(spec.channels):
            raise StrategyError(f"{spec.strategy} takes {known.channels} channels, it was given {len(spec.channels)}")
        params = known.bind(**spec.parameters)
        count = len(spec.channels)
        return cls(
            spec,
            known,
            params,
            mind_of(known, params, spec.channels),
            Slices.of(tuple(spec.channels)),
            np.full((WIDTH, count), np.nan),
            np.zeros(count, np.int64),
        )

    @property
    def history(self) -> int:
        """How many bars it wants to see before its first: so many that it no longer matters what was before them.

        A strategy to which that always matters gets its warm-up.
        """
        return (self.strategy.settles or self.strategy.warmup)(self.params)

    def arrays(self) -> list[NDArray[Any]]:
        """Return all that changes and is its own, as arrays that can be written to."""
        return [*self.mind.arrays(), self.opinions, self.versions]

    def moved(self, places: Iterator[NDArray[Any]], slices: Slices) -> "Member":
        """Return the strategy with its state in other arrays, as many as `arrays` gives, and these slices."""
        mind = self.mind.moved(places)
        return Member(self.spec, self.strategy, self.params, mind, slices, next(places), next(places))

    def see(self, shown: Shown) -> list[int]:
        """Show the strategy a slice; return the channels on which it has a new opinion."""
        said = self.mind.said(shown)
        if isinstance(said, float):
            if self.strategy.kind != "class":
                return self._weigh(said)
            said = np.array(weight_target(said), np.float64).reshape(WIDTH, 1)
        changed = []
        for channel in range(said.shape[1]):
            if _is_new(said[:, channel], self.opinions[:, channel]):
                self.opinions[:, channel] = said[:, channel]
                self.versions[channel] += 1
                changed.append(channel)
        return changed

    def _weigh(self, weight: float) -> list[int]:
        """Take the weight for the only channel of a strategy that gives nothing else."""
        before = self.opinions[0, 0]
        if weight == before or math.isnan(weight):
            return []
        if math.isnan(before):
            self.opinions[:, 0] = weight_target(weight)
        else:
            self.opinions[0, 0] = weight
        self.versions[0] += 1
        return [0]

    def to_snapshot(self) -> dict[str, Any]:
        """Return what `from_snapshot` needs beside the spec."""
        return {
            "arrays": [_written(each) for each in self._arrays()],
            "past": {name: _written(each) for name, each in self.mind.past().items()},
            "closed_at_ns": self.slices.closed_at_ns,
            "shown_at_ns": self.slices.shown_at_ns,
        }

    @classmethod
    def from_snapshot(cls, spec: MemberSpec, written: dict[str, Any]) -> "Member":
        """Return the strategy as it was. Raises what `of` raises, and StrategyError of a class shown its past again."""
        made = cls.of(spec)
        arrays = made._arrays()
        kept = written["arrays"] + [_written(each) for each in arrays[len(written["arrays"]) :]]
        for array, text in zip(arrays, kept, strict=True):
            array[...] = np.frombuffer(base64.b64decode(text), array.dtype).reshape(array.shape)
        made.slices.times[:] = written["closed_at_ns"], written["shown_at_ns"]
        made.mind.relive({name: base64.b64decode(text) for name, text in written.get("past", {}).items()})
        return made

    def _arrays(self) -> Sequence[NDArray[Any]]:
        slices = self.slices
        return [
            *self.arrays(), slices.prices, slices.bid_ticks, slices.ask_ticks, slices.fresh, slices.past, slices.counts,
        ]  # fmt: skip


def is_plain(target: Target) -> bool:
    """Tell whether a target is entered at market and carries no prices."""
    prices = (target.price, target.limit_price, target.stop_loss, target.take_profit, target.trail)
    return target.entry == MARKET and all(np.isnan(each) for each in prices)


def _written(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _is_new(said: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
    """Tell whether an opinion is another version than the last one: by its version where a strategy gives versions."""
    if np.isnan(said[0]):
        return False
    if said[_VERSION] or (before[_VERSION] and not np.isnan(before[_VERSION])):
        return bool(said[_VERSION] != before[_VERSION])
    return not np.array_equal(said, before, equal_nan=True)
