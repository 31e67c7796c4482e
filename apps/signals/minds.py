"""What a strategy remembers, and how it is asked: arrays and compiled code, or an instance of a class."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from apps.signals.classic import ClassStrategy
from apps.signals.contracts import ChannelSpec
from apps.signals.declaration import Strategy
from apps.signals.driving import Wishes, targets_said
from apps.signals.errors import StrategyError, strategy_errors
from apps.signals.slices import FIELDS, Shown, Slices
from banyan.calls import CALLS
from trading.bars import Bar
from trading.compiled import often
from trading.intervals import parse_interval
from trading.targets import GTC, MARKET, WEIGHT, Target, Targets

WIDTH = len(Target._fields)
_SECONDS_MAX = 10.0  # that a strategy may take over a bar
FIRST_SECONDS_MAX = 120.0  # that it may take over its first, while it is loaded or compiled
_compiled: set[tuple[str, str, int]] = set()

Said = NDArray[np.float64] | float
"""What a strategy says, float64[11, channels] of `Target`'s fields, or a plain weight for its only channel."""


class Mind(Protocol):
    """What a strategy remembers."""

    def moved(self, places: Iterator[NDArray[Any]]) -> "Mind":
        """Return one that remembers the same in other arrays, as many as `arrays` gives."""

    def said(self, shown: Shown) -> Said:
        """Return what the strategy says of a slice, and remember it. Raises StrategyError."""

    def arrays(self) -> Sequence[NDArray[Any]]:
        """Return what it remembers, as arrays of a fixed shape that can be written to."""

    def past(self) -> dict[str, NDArray[Any]]:
        """Return what it was shown, for one that is rebuilt by being shown it again; nothing where `arrays` do."""

    def relive(self, past: Mapping[str, bytes]) -> None:
        """Be shown that again, from the bytes of these arrays."""


def mind_of(strategy: Strategy, params: Any, channels: Sequence[ChannelSpec]) -> Mind:
    """Return the mind of a strategy that has seen nothing. Raises StrategyError."""
    if strategy.kind == "class":
        return ClassMind.of(strategy, params, channels)
    _compile(strategy, params, len(channels))
    place = _place_of(strategy)
    with _called(strategy, place):
        return CompiledMind(strategy, place, often(strategy.on_bar), params, strategy.init(params, len(channels)))


@dataclass(slots=True)
class CompiledMind:
    """Arrays, in a tuple or tuples of tuples."""

    strategy: Strategy
    place: str
    on_bar: Any
    params: Any
    state: Any

    def moved(self, places: Iterator[NDArray[Any]]) -> "CompiledMind":
        """Return one whose state is in other arrays."""
        return CompiledMind(self.strategy, self.place, self.on_bar, self.params, _moved(self.state, places))

    def said(self, shown: Shown) -> Said:
        """Return what compiled code says."""
        CALLS.begin(self.place, _SECONDS_MAX)
        try:
            said = _asked(self.strategy, self.on_bar, self.params, self.state, shown)
        except Exception as problem:
            raise _told(self.strategy, self.place, problem) from problem
        finally:
            CALLS.end()
        if isinstance(said, Targets):
            return np.array(said, np.float64)
        return np.array(said, np.float64).reshape(WIDTH, 1) if isinstance(said, Target) else float(said)

    def arrays(self) -> Sequence[NDArray[Any]]:
        """Return the arrays of the state."""
        return _leaves(self.state)

    def past(self) -> dict[str, NDArray[Any]]:
        """Return nothing: the arrays are all that there is."""
        return {}

    def relive(self, past: Mapping[str, bytes]) -> None:
        """Do nothing."""


class NoAccountError(RuntimeError):
    """A strategy asked what an account holds, and has none."""


class Unowned(Wishes):
    """The portfolio of a strategy in a set, which trades for many accounts: it takes wishes, and knows of nothing."""

    @property
    def equity(self) -> float:
        """Raise NoAccountError."""
        raise _no_account("equity")

    @property
    def cash(self) -> float:
        """Raise NoAccountError."""
        raise _no_account("cash")

    def position(self, channel: str | None = None) -> float:
        """Raise NoAccountError."""
        raise _no_account("position()")


def _no_account(what: str) -> NoAccountError:
    return NoAccountError(f"portfolio.{what}: a set gives the same targets to all accounts, and knows of none")


@dataclass(slots=True)
class _Past:
    """What an instance was shown, and what it said: `shown` are (close time, prices, fresh), the first ones dropped."""

    shown: list[tuple[int, NDArray[np.float64], NDArray[np.int64]]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    dropped: int = 0


@dataclass(slots=True)
class ClassMind:
    """An instance, which cannot be copied: copies share it, and it is shown each slice once, whoever asks first.

    It is rebuilt by being shown its past again: all of it, or as much as settles it. `seen`, int64[1], counts slices.
    """

    strategy: Strategy
    instance: ClassStrategy
    place: str
    wishes: Unowned
    settles: int | None
    seen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    _past: _Past = field(default_factory=_Past)

    @classmethod
    def of(cls, strategy: Strategy, params: Any, channels: Sequence[ChannelSpec]) -> "ClassMind":
        """Return one that has seen nothing. Raises StrategyError where it wants other channels than these."""
        wishes = Unowned([each.instrument for each in channels])
        with _called(strategy, str(strategy.source), FIRST_SECONDS_MAX):
            instance: ClassStrategy = strategy.init(params, len(channels))
            instance.portfolio = wishes
            wanted = [(each.instrument.upper(), parse_interval(each.interval)) for each in instance.initialize(params)]
        if wanted and wanted != [(each.instrument, each.interval_ns) for each in channels]:
            raise StrategyError(
                f"{strategy.name} wants the channels {', '.join(name for name, _ in wanted)}: define the set on these"
            )
        place = f"{strategy.source.resolve()}:{type(instance).event.__code__.co_firstlineno}"
        return cls(strategy, instance, place, wishes, strategy.settles(params) if strategy.settles else None)

    def moved(self, places: Iterator[NDArray[Any]]) -> "ClassMind":
        """Return one that shares the instance, and knows how far it has come."""
        return replace(self, seen=next(places))

    def said(self, shown: Shown) -> Said:
        """Return what the instance says, or has said when it was shown this before."""
        past, at = self._past, self._kept()
        self.seen += 1
        if at == len(past.shown):
            past.shown.append((shown.at_ns, shown.prices.copy(), shown.fresh))
            past.said.append(self._ask(shown.at_ns, shown.prices))
            self._forget()
            return past.said[-1]
        assert past.shown[at][0] == shown.at_ns, "an instance was shown something that was taken back"
        return past.said[at]

    def arrays(self) -> Sequence[NDArray[Any]]:
        """Return how much it has seen."""
        return [self.seen]

    def past(self) -> dict[str, NDArray[Any]]:
        """Return what it was shown, as much as is needed."""
        last = self._kept()
        first = 0 if self.settles is None else max(0, last - self.settles)
        shown = self._past.shown[first:last]
        channels = len(self.wishes.names)
        return {
            "closed_at_ns": np.array([each[0] for each in shown], np.int64),
            "prices": np.array([each[1] for each in shown], np.float64).reshape(-1, len(FIELDS), channels),
            "fresh": np.array([each[2] for each in shown], np.int64).reshape(-1, channels),
        }

    def relive(self, past: Mapping[str, bytes]) -> None:
        """Show a new instance its past."""
        channels = len(self.wishes.names)
        times: list[int] = np.frombuffer(past["closed_at_ns"], np.int64).tolist()
        prices = np.frombuffer(past["prices"], np.float64).reshape(-1, len(FIELDS), channels)
        fresh = np.frombuffer(past["fresh"], np.int64).reshape(-1, channels)
        for row, closed_at_ns in enumerate(times):
            self._past.shown.append((closed_at_ns, prices[row], fresh[row]))
            self._past.said.append(self._ask(closed_at_ns, prices[row]))
        self._past.dropped = int(self.seen[0]) - len(times)

    def _kept(self) -> int:
        """Return how many of the slices that it has seen are still kept."""
        return int(self.seen[0]) - self._past.dropped

    def _ask(self, closed_at_ns: int, prices: NDArray[np.float64]) -> Said:
        bars = {name: Bar(closed_at_ns, *prices[:, channel].tolist()) for channel, name in enumerate(self.wishes.names)}
        with _called(self.strategy, self.place):
            return targets_said(self.instance, self.wishes, bars)

    def _forget(self) -> None:
        past = self._past
        if self.settles is not None and len(past.shown) > 2 * self.settles + 64:
            count = len(past.shown) - self.settles - 1
            del past.shown[:count], past.said[:count]
            past.dropped += count


@contextmanager
def _called(strategy: Strategy, place: str, seconds: float = _SECONDS_MAX) -> Iterator[None]:
    """Call a strategy's code: whatever goes wrong in there is a StrategyError with its file and line."""
    CALLS.begin(place, seconds)
    try:
        with np.errstate(all="ignore"):
            yield
    except Exception as problem:
        raise _told(strategy, place, problem) from problem
    finally:
        CALLS.end()


def _told(strategy: Strategy, place: str, problem: Exception) -> Exception:
    if isinstance(problem, MemoryError):
        return problem
    try:
        with strategy_errors(strategy.source):
            raise problem
    except StrategyError as told:
        return told
    except Exception:  # noqa: BLE001 (of compiled code, which has no frame to be found in)
        return StrategyError(f"{place}: {type(problem).__name__}: {problem}")


def _place_of(strategy: Strategy) -> str:
    function = getattr(strategy.on_bar, "py_func", strategy.on_bar)
    return f"{Path(strategy.source).resolve()}:{function.__code__.co_firstlineno}"


def _compile(strategy: Strategy, params: Any, channels: int) -> None:
    """Compile a strategy, on a bar and a state of its own, unless this process has done so."""
    known = strategy.module, strategy.code_hash, channels
    if known in _compiled:
        return
    slices = Slices.of((ChannelSpec(instrument="", interval_ns=1, tick_e9=1),) * channels)
    slices.prices[:] = 1.0
    with _called(strategy, _place_of(strategy), FIRST_SECONDS_MAX):
        _asked(strategy, often(strategy.on_bar), params, strategy.init(params, channels), slices.show())
    _compiled.add(known)


def _asked(strategy: Strategy, on_bar: Any, params: Any, state: Any, shown: Shown) -> Any:
    return on_bar(state, shown.bar() if strategy.channels == 1 else shown.slice(), params)


def weight_target(value: float) -> Target:
    """Return the target of a plain weight, entered at market."""
    nan = np.nan
    return Target(value, WEIGHT, MARKET, nan, nan, nan, nan, nan, GTC, 0, 0)


def _leaves(state: Any) -> list[NDArray[Any]]:
    if isinstance(state, np.ndarray):
        return [state]
    return [leaf for each in state for leaf in _leaves(each)] if isinstance(state, tuple) else []


def _moved(state: Any, places: Iterator[NDArray[Any]]) -> Any:
    if isinstance(state, np.ndarray):
        return next(places)
    if not isinstance(state, tuple):
        return state
    moved = [_moved(each, places) for each in state]
    return type(state)(*moved) if hasattr(state, "_fields") else tuple(moved)
