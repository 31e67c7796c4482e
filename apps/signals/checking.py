"""What must hold of every strategy, each as a function that returns what it found."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.signals.declaration import Strategy
from apps.signals.driving import Tape, drive
from apps.signals.foresight import foresight, large_globals
from apps.signals.plain import drive_without_jit
from trading.bars import Floats

_PLAIN_ROWS = 600
_DTYPES = (np.float64, np.int64, np.uint64)


@dataclass(frozen=True)
class Finding:
    """One check on one sample: whether it holds (None: it does not apply), and what was found."""

    check: str
    holds: bool | None
    found: str


def check_strategy(strategy: Strategy, params: Any, tape: Tape) -> Iterator[Finding]:
    """Yield the finding of every check, in order. Raises StrategyError for what goes wrong inside the strategy."""
    said, _ = drive(strategy, params, tape)
    for check in (look_ahead, warm_up, settling, determinism, plain_python, state_arrays, pickling, lines):
        name = check.__name__.replace("_", " ")
        holds, found = check(strategy, params, tape, said)
        yield Finding(name, holds, found)


Outcome = tuple[bool | None, str]


def look_ahead(strategy: Strategy, params: Any, tape: Tape, said: Floats) -> Outcome:
    """Hold that what is said up to a bar stays the same when all later bars are others, and foresees none of them."""
    for name, size in large_globals(strategy):
        return False, f"reads {name}, {size:,} values that are not in its bars: they may hold what is yet to come"
    rows = tape.time.size
    for cut in sorted({rows // 4, rows // 2, 3 * rows // 4, rows - 1}):
        known, _ = drive(strategy, params, _with_other_future(tape, cut), range(cut))
        at = _first_difference(known, said[:cut])
        if at is not None:
            return False, f"{_place(tape, at)}: differs when the bars after {_place(tape, cut - 1)} are others"
    score = foresight(_values(said, tape), tape.close)
    if score > 8.0:
        return False, f"foresees the next bar's return far beyond chance (t = {score:.0f})"
    return True, "the same when later bars are others"


def warm_up(strategy: Strategy, params: Any, tape: Tape, said: Floats) -> Outcome:
    """Hold that there is no opinion before the declared warm-up is over."""
    warmup = strategy.warmup(params)
    opinions = np.flatnonzero(~np.isnan(_values(said, tape)).all(axis=1))
    if opinions.size and opinions[0] < warmup - 1:
        return (
            False,
            f"{_place(tape, opinions[0])}: an opinion on bar {opinions[0] + 1}, the declared warm-up is {warmup}",
        )
    if warmup > tape.time.size:
        return None, f"the warm-up of {warmup} bars is longer than the sample"
    first = f"first opinion on bar {opinions[0] + 1}" if opinions.size else "no opinion at all"
    return True, f"{first}, the declared warm-up is {warmup}"


def settling(strategy: Strategy, params: Any, tape: Tape, said: Floats) -> Outcome:
    """Hold that with only the declared number of bars of history the opinion is that with all of it."""
    if strategy.settles is None:
        return None, 'depends on all its history, as declared (settles="never")'
    needed = strategy.settles(params)
    rows = tape.time.size
    if needed >= rows:
        return None, f"the {needed} bars that it needs are more than the sample has"
    values = _values(said, tape)
    for start in np.linspace(1, rows - needed, 12, dtype=int):
        last = int(start) + needed - 1
        alone, _ = drive(strategy, params, tape, range(int(start), last + 1))
        if not np.allclose(_values(alone[-1:], tape), values[last], rtol=1e-6, atol=1e-9, equal_nan=True):
            return False, (
                f"{_place(tape, last)}: {_values(alone[-1:], tape)[0]} with the last {needed} bars of history, "
                f'{values[last]} with all; declare settles= (bars, or "never")'
            )
    return True, f"{needed} bars of history are enough"


def determinism(strategy: Strategy, params: Any, tape: Tape, said: Floats) -> Outcome:
    """Hold that a second run says the same to the bit, also while another one is under way."""
    half = tape.time.size // 2
    first, state = drive(strategy, params, tape, range(half))
    drive(strategy, params, tape, range(half, tape.time.size))
    second, _ = drive(strategy, params, tape, range(half, tape.time.size), state)
    at = _first_difference(np.concatenate([first, second]), said)
    if at is not None:
        return False, f"{_place(tape, at)}: a second run says something else"
    return True, "a second run is equal to the bit"


def plain_python(strategy: Strategy, params: Any, tape: Tape, said: Floats) -> Outcome:
    """Hold that the strategy's Python function, and everything with the compiler off, say the same as compiled code."""
    if strategy.kind == "class":
        return None, "not compiled"
    rows = range(min(max(_PLAIN_ROWS, 2 * strategy.warmup(params)), tape.time.size))
    runs: dict[str, Callable[[], Floats]] = {
        "as a Python function": lambda: drive(strategy, params, tape, rows, plain=True)[0],
        "with the compiler off": lambda: drive_without_jit(strategy, params, tape, rows),
    }
    for how, run in runs.items():
        at = _first_difference(run(), said[: len(rows)], rtol=1e-9)
        if at is not None:
            return False, f"{_place(tape, at)}: says something else {how}"
    return True, f"equal on {len(rows)} bars"


def state_arrays(strategy: Strategy, params: Any, tape: Tape, _said: Floats) -> Outcome:
    """Hold that the state is arrays of numbers only, and a new one with every start."""
    if strategy.kind == "class":
        return None, "a class keeps its own state"
    one, other = (strategy.init(params, len(tape.names)) for _ in range(2))
    others = dict(_leaves(other, "state"))
    for name, leaf in _leaves(one, "state"):
        if not isinstance(leaf, np.ndarray):
            return False, f"{name} is {type(leaf).__name__}, not an array"
        if leaf.dtype not in _DTYPES:
            return False, f"{name} is an array of {leaf.dtype}, not of float64, int64 or uint64"
        if np.shares_memory(leaf, others[name]):
            return False, f"{name} is the same array in two states"
    return True, f"{len(others)} array{'s' * (len(others) != 1)}"


def pickling(strategy: Strategy, params: Any, tape: Tape, said: Floats) -> Outcome:
    """Hold that a pickled state and parameters go on where they were."""
    if strategy.kind == "class":
        return None, "a class is rebuilt by replaying its bars"
    half = tape.time.size // 2
    _, state = drive(strategy, params, tape, range(half))
    state, params = pickle.loads(pickle.dumps((state, params)))  # noqa: S301 (our own pickle)
    later, _ = drive(strategy, params, tape, range(half, tape.time.size), state)
    at = _first_difference(later, said[half:])
    if at is not None:
        return False, f"{_place(tape, half + at)}: differs after the state was pickled at {_place(tape, half)}"
    return True, "goes on from a pickled state"


def lines(strategy: Strategy, params: Any, tape: Tape, said: Floats) -> Outcome:
    """Hold that the declared lines, as whole columns, give the weights of on_bar to the bit, and see no later bar."""
    declared = strategy.lines
    if declared is None:
        return None, "none declared"
    close = np.ascontiguousarray(tape.close[:, 0])

    def weights(prices: NDArray[np.float64]) -> NDArray[np.float64]:
        fast, slow = np.empty_like(prices), np.empty_like(prices)
        declared.columns(prices, getattr(params, declared.fast), fast)
        declared.columns(prices, getattr(params, declared.slow), slow)
        known = np.where(fast > slow, 1.0, declared.below(strategy, params))
        return np.where(np.isnan(fast) | np.isnan(slow), np.nan, known)

    for rows in (close.size, close.size // 2):
        at = _first_difference(weights(close[:rows])[:, None], said[:rows, :1])
        if at is not None:
            return False, f"{_place(tape, at)}: the columns say something else than on_bar"
    if declared.crossings is not None:
        at = _first_difference(_weights_of_crossings(strategy, params, close)[:, None], said[:, :1])
        if at is not None:
            return False, f"{_place(tape, at)}: the crossings say something else than on_bar"
    return True, "columns equal on_bar to the bit"


def _weights_of_crossings(strategy: Strategy, params: Any, close: NDArray[np.float64]) -> NDArray[np.float64]:
    declared = strategy.lines
    assert declared is not None
    windows = (getattr(params, name) for name in (declared.fast, declared.slow))
    rows, weights = np.empty(close.size, np.int64), np.empty(close.size)
    count = declared.crossings(close, *windows, declared.below(strategy, params), rows, weights)
    known = np.searchsorted(rows[:count], np.arange(close.size), side="right") - 1
    return np.where(known >= 0, weights[np.maximum(known, 0)], np.nan)


def _values(said: Floats, tape: Tape) -> Floats:
    return said[:, : len(tape.names)]


def _first_difference(one: Floats, other: Floats, rtol: float = 0.0) -> int | None:
    differs = ~np.isclose(one, other, rtol=rtol, atol=rtol, equal_nan=True).all(axis=1)
    return int(np.argmax(differs)) if differs.any() else None


def _place(tape: Tape, row: int) -> str:
    return f"bar {row} ({np.datetime64(int(tape.time[row]), 'ns').astype('datetime64[m]')}Z)"


def _with_other_future(tape: Tape, cut: int) -> Tape:
    def changed(column: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([column[:cut], column[cut:][::-1] * 3])

    return tape.changed(changed)


def _leaves(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, tuple):
        for field, each in zip(getattr(tree, "_fields", range(len(tree))), tree, strict=True):
            yield from _leaves(each, f"{name}.{field}")
    else:
        yield name, tree
