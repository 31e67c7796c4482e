"""A strategy at work in a set: its state, what it has seen, and the last opinion it gave on each channel."""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.signals.contracts import ChannelSpec, MemberSpec
from apps.signals.declaration import Strategy
from apps.signals.errors import StrategyError, strategy_errors
from apps.signals.registry import get_strategy
from apps.signals.slices import Slices
from banyan.calls import CALLS
from trading.bars import Bar, Slice
from trading.compiled import often
from trading.targets import GTC, MARKET, WEIGHT, Target, Targets

_WIDTH = len(Target._fields)
_VERSION = Target._fields.index("version")
_SECONDS_MAX = 10.0  # that a strategy may take over a bar
_FIRST_SECONDS_MAX = 120.0  # that it may take over its first, while it is loaded or compiled
_compiled: set[tuple[str, str, int]] = set()


@dataclass(slots=True)
class Member:
    """`opinions` is float64[11, channels] of `Target`'s fields, nan where there was none; `versions` counts them."""

    spec: MemberSpec
    strategy: Strategy
    params: Any
    state: Any
    slices: Slices
    opinions: NDArray[np.float64]
    versions: NDArray[np.int64]

    @classmethod
    def of(cls, spec: MemberSpec) -> "Member":
        """Return a strategy that has seen nothing.

        Raises StrategyError where it cannot be run live or has changed, UnknownStrategyError, StrategyParameterError.
        """
        CALLS.begin(spec.strategy, _FIRST_SECONDS_MAX)
        try:
            known = get_strategy(spec.strategy)
        finally:
            CALLS.end()
        if known.kind == "class":
            raise StrategyError(f"{spec.strategy} is a class: sets run strategies that can be compiled")
        if known.code_hash != spec.code_hash:
            raise StrategyError(f"{spec.strategy} is no longer the code that the set was defined with: define it again")
        if known.channels is not None and known.channels != len(spec.channels):
            raise StrategyError(f"{spec.strategy} takes {known.channels} channels, it was given {len(spec.channels)}")
        params = known.bind(**spec.parameters)
        _compile(known, params, len(spec.channels))
        count = len(spec.channels)
        with _called(known):
            state = known.init(params, count)
        return cls(
            spec,
            known,
            params,
            state,
            Slices.of(tuple(spec.channels)),
            np.full((_WIDTH, count), np.nan),
            np.zeros(count, np.int64),
        )

    @property
    def history(self) -> int:
        """How many bars it wants to see before its first: so many that it no longer matters what was before them.

        A strategy to which that always matters gets its warm-up.
        """
        return (self.strategy.settles or self.strategy.warmup)(self.params)

    def copy(self) -> "Member":
        """Return the strategy with a state of its own, to be tried out on."""
        state = _filled(self.state, iter([leaf.copy() for leaf in _leaves(self.state)]))
        return Member(
            self.spec, self.strategy, self.params, state, self.slices.copy(), self.opinions.copy(), self.versions.copy()
        )

    def see(self) -> list[int]:
        """Show the strategy the slice that waits; return the channels on which it has a new opinion."""
        changed: list[int] = []
        for closed_at_ns in self.slices.show():
            said = self._said(closed_at_ns)
            for channel in range(said.shape[1]):
                if _is_new(said[:, channel], self.opinions[:, channel]):
                    self.opinions[:, channel] = said[:, channel]
                    self.versions[channel] += 1
                    changed.append(channel)
        return changed

    def digest_into(self, digest: "hashlib.blake2b") -> None:
        """Add the state to a digest."""
        for leaf in (*_leaves(self.state), self.opinions, self.versions, self.slices.prices, self.slices.fresh):
            digest.update(np.ascontiguousarray(leaf).tobytes())

    def to_snapshot(self) -> dict[str, Any]:
        """Return what `from_snapshot` needs beside the spec."""
        slices = self.slices
        arrays = [
            *_leaves(self.state), self.opinions, self.versions,
            slices.prices, slices.bid_ticks, slices.ask_ticks, slices.fresh,
        ]  # fmt: skip
        return {
            "arrays": [base64.b64encode(np.ascontiguousarray(each).tobytes()).decode() for each in arrays],
            "closed_at_ns": slices.closed_at_ns,
            "shown_at_ns": slices.shown_at_ns,
        }

    @classmethod
    def from_snapshot(cls, spec: MemberSpec, written: dict[str, Any]) -> "Member":
        """Return the strategy as it was. Raises what `of` raises."""
        made = cls.of(spec)
        kept = iter(base64.b64decode(each) for each in written["arrays"])
        slices = made.slices
        for array in (
            *_leaves(made.state), made.opinions, made.versions,
            slices.prices, slices.bid_ticks, slices.ask_ticks, slices.fresh,
        ):  # fmt: skip
            array[...] = np.frombuffer(next(kept), array.dtype).reshape(array.shape)
        slices.closed_at_ns, slices.shown_at_ns = written["closed_at_ns"], written["shown_at_ns"]
        return made

    def _said(self, closed_at_ns: int) -> NDArray[np.float64]:
        with _called(self.strategy):
            said = _asked(self.strategy, self.params, self.state, self.slices, closed_at_ns)
        if isinstance(said, Targets):
            return np.array(said, np.float64)
        target = said if isinstance(said, Target) else weight_target(said)
        return np.array(target, np.float64).reshape(_WIDTH, 1)


@contextmanager
def _called(strategy: Strategy, seconds: float = _SECONDS_MAX) -> Iterator[None]:
    """Call a strategy's code: whatever goes wrong in there is a StrategyError with its file and line."""
    place = place_of(strategy)
    CALLS.begin(place, seconds)
    try:
        with strategy_errors(strategy.source), np.errstate(all="ignore"):
            yield
    except (StrategyError, MemoryError):
        raise
    except Exception as problem:  # of compiled code, which has no frame to be found in
        raise StrategyError(f"{place}: {type(problem).__name__}: {problem}") from problem
    finally:
        CALLS.end()


def place_of(strategy: Strategy) -> str:
    """Return the file and line at which a strategy's code begins."""
    function = getattr(strategy.on_bar, "py_func", strategy.on_bar)
    code = getattr(function, "__code__", None)
    path = Path(strategy.source).resolve()
    return f"{path}:{code.co_firstlineno}" if code is not None else str(path)


def _compile(strategy: Strategy, params: Any, channels: int) -> None:
    """Compile a strategy, on a bar and a state of its own, unless this process has done so."""
    known = strategy.module, strategy.code_hash, channels
    if known in _compiled:
        return
    slices = Slices.of((ChannelSpec(instrument="", interval_ns=1, tick_e9=1),) * channels)
    slices.prices[:] = 1.0
    with _called(strategy, _FIRST_SECONDS_MAX):
        _asked(strategy, params, strategy.init(params, channels), slices, 1)
    _compiled.add(known)


def _asked(strategy: Strategy, params: Any, state: Any, slices: Slices, closed_at_ns: int) -> Any:
    if strategy.channels == 1:
        bar = Bar(closed_at_ns, *(float(price) for price in slices.prices[:, 0]))
        return often(strategy.on_bar)(state, bar, params)
    columns: Any = (*slices.prices, slices.fresh)
    return often(strategy.on_bar)(state, Slice(closed_at_ns, *columns), params)


def weight_target(value: float) -> Target:
    """Return the target of a plain weight, entered at market."""
    nan = np.nan
    return Target(value, WEIGHT, MARKET, nan, nan, nan, nan, nan, GTC, 0, 0)


def is_plain(target: Target) -> bool:
    """Tell whether a target is entered at market and carries no prices."""
    prices = (target.price, target.limit_price, target.stop_loss, target.take_profit, target.trail)
    return target.entry == MARKET and all(np.isnan(each) for each in prices)


def _is_new(said: NDArray[np.float64], before: NDArray[np.float64]) -> bool:
    """Tell whether an opinion is another version than the last one: by its version where a strategy gives versions."""
    if np.isnan(said[0]):
        return False
    if said[_VERSION] or (before[_VERSION] and not np.isnan(before[_VERSION])):
        return bool(said[_VERSION] != before[_VERSION])
    return not np.array_equal(said, before, equal_nan=True)


def _leaves(state: Any) -> list[NDArray[Any]]:
    if isinstance(state, np.ndarray):
        return [state]
    return [leaf for each in state for leaf in _leaves(each)] if isinstance(state, tuple) else []


def _filled(state: Any, leaves: Any) -> Any:
    if isinstance(state, np.ndarray):
        return next(leaves)
    return type(state)(*(_filled(each, leaves) for each in state)) if isinstance(state, tuple) else state
