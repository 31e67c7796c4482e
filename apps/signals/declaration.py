"""How a strategy is declared, and the record that a declaration leaves."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from apps.signals.classic import ClassStrategy
from apps.signals.code_hash import code_hash
from apps.signals.errors import StrategyError
from apps.signals.parameters import Parameter, StrategyParameterError
from trading.compiled import kernel


class NoState(NamedTuple):
    """The state of a strategy that remembers nothing."""


class NoParams(NamedTuple):
    """The parameters of a strategy that has none."""


@dataclass(frozen=True)
class CrossingLines:
    """Declares a strategy that is long while one line is above another, and nothing else.

    `columns(close, window, out)` is a kernel that writes a whole line (float64, nan during its warm-up), bit-equal to
    the incremental one in `on_bar`; `fast` and `slow` name the parameters that hold the windows. Where either line is
    nan the strategy has no opinion; where fast is not above slow its weight is 0, or -1
    where the parameter `side` says "both". `crossings(close, fast, slow, below, rows, weights)` is a kernel that finds,
    in a close without nan, what the crossings of both lines are (see `trading.indicators.crossings`); without one, a
    run looks for them in the lines.
    """

    columns: Any
    fast: str
    slow: str
    side: str | None = None
    crossings: Any = None

    def below(self, strategy: "Strategy", params: Any) -> float:
        """Return the weight held while the fast line is not above the slow one."""
        if self.side is None:
            return 0.0
        choices = next(each.choices for each in strategy.parameters if each.name == self.side)
        return -1.0 if choices and choices[getattr(params, self.side)] == "both" else 0.0


@dataclass(frozen=True, eq=False)
class Strategy:
    """One registered strategy.

    `kind` is "kernel", where `on_bar(state, bar, params)` is a compiled function and `init(params, channels)` makes its
    state, or "class", where `init` makes an instance of ClassStrategy and `on_bar` is None. `channels` is how many it
    takes, None for any number. `warmup(params)` is the number of bars up to and including the first that can have an
    opinion; `settles(params)` the number after which it no longer matters where the history began, or None where that
    is never so. `sizing` is the sizing a run uses when none is asked for, `lines` a CrossingLines or None.
    `code_hash` is that of the source file and of all that its code reaches outside Banyan's arithmetic.
    """

    name: str
    doc: str
    kind: str
    on_bar: Any
    init: Callable[[Any, int], Any]
    params_type: type
    parameters: tuple[Parameter, ...]
    warmup: Callable[[Any], int]
    settles: Callable[[Any], int] | None
    channels: int | None
    sizing: str
    lines: CrossingLines | None
    check: Callable[[Any], str | None] | None
    module: str
    source: Path
    code_hash: str

    def bind(self, **given: Any) -> Any:
        """Return the strategy's Params with `given` in place of the defaults.

        Raises StrategyParameterError for a name it does not have, a wrong type or a value out of bounds.
        """
        known = {each.name: each for each in self.parameters}
        for name in given:
            self._parameter(name)
        try:
            params = self.params_type(*(each.value(given.get(name, each.default)) for name, each in known.items()))
        except StrategyParameterError as error:
            raise StrategyParameterError(f"{self.name}: {error}") from None
        complaint = self.check(params) if self.check else None
        if complaint:
            raise StrategyParameterError(f"{self.name}: {complaint}")
        return params

    def parse(self, name: str, text: str) -> int | float | str:
        """Return the value of parameter `name` written as `text`. Raises StrategyParameterError."""
        parameter = self._parameter(name)
        try:
            return parameter.parse(text)
        except StrategyParameterError as error:
            raise StrategyParameterError(f"{self.name}: {error}") from None

    def values(self, params: Any) -> dict[str, int | float | str]:
        """Return `params` as a dict in which choices are words."""
        return {
            each.name: each.choices[value] if each.choices else value
            for each, value in zip(self.parameters, params, strict=True)
        }

    def _parameter(self, name: str) -> Parameter:
        known = {each.name: each for each in self.parameters}
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known) or 'none'}"
            raise StrategyParameterError(f"{self.name} has no parameter {name}{hint}")
        return known[name]


def strategy(
    *,
    parameters: Sequence[Parameter] = (),
    state: Callable[..., Any] | None = None,
    warmup: Callable[[Any], int] | None = None,
    settles: Callable[[Any], int] | str | None = None,
    channels: int | None = 1,
    sizing: str = "all-in",
    lines: CrossingLines | None = None,
    check: Callable[[Any], str | None] | None = None,
    name: str | None = None,
) -> Callable[[Any], Strategy]:
    """Declare the function (or ClassStrategy) below as a strategy, to be compiled at its first call.

    `parameters` are the fields, in order, of the NamedTuple that annotates the last argument. `state(params)`, or
    `state(params, channels)`, makes a NamedTuple of arrays; both NamedTuples are declared at module level, so that
    compiled code can be kept. `warmup(params)` is 1 unless given. `settles` is `warmup` unless given; "never" says that
    what the strategy wants depends on all its history (a position that it remembers, a count of bars). `check(params)`
    returns a complaint about a combination of values, or None. Raises StrategyError for a declaration that does not add
    up.
    """

    def declare(body: Any) -> Strategy:
        source = Path(sys.modules[body.__module__].__file__ or "")
        is_class = isinstance(body, type) and issubclass(body, ClassStrategy)
        made = Strategy(
            name=name or body.__name__,
            doc=(body.__doc__ or "").strip(),
            kind="class" if is_class else "kernel",
            on_bar=None if is_class else kernel(body),
            init=_instances(body) if is_class else _initial_state(state),
            params_type=_params_type(body.initialize if is_class else body, parameters),
            parameters=tuple(parameters),
            warmup=warmup or _one_bar,
            settles=_settling(settles, warmup or _one_bar),
            channels=channels,
            sizing=sizing,
            lines=lines,
            check=check,
            module=body.__module__,
            source=source,
            code_hash=code_hash(body, source),
        )
        made.bind()
        return made

    return declare


def _one_bar(_params: Any) -> int:
    return 1


def _settling(settles: Callable[[Any], int] | str | None, warmup: Callable[[Any], int]) -> Callable[[Any], int] | None:
    if isinstance(settles, str):
        if settles != "never":
            raise StrategyError(f'settles={settles!r}: it is a function of the parameters, or "never"')
        return None
    return settles or warmup


def _instances(body: type[ClassStrategy]) -> Callable[[Any, int], ClassStrategy]:
    def instance(_params: Any, _channels: int) -> ClassStrategy:
        return body()

    return instance


def _initial_state(make: Callable[..., Any] | None) -> Callable[[Any, int], Any]:
    def initial(params: Any, channels: int) -> Any:
        if make is None:
            return NoState()
        return make(params, channels) if make.__code__.co_argcount == 2 else make(params)

    return initial


def _params_type(function: Any, parameters: Sequence[Parameter]) -> type:
    """Return the NamedTuple that annotates the last argument, whose fields are the parameters in order."""
    place = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    if not parameters:
        return NoParams
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
    hint = get_type_hints(function).get(arguments[-1]) if arguments else None
    fields = getattr(hint, "_fields", None)
    declared = tuple(each.name for each in parameters)
    if hint is None or fields is None:
        raise StrategyError(f"{place}: annotate the last argument of {function.__name__}: NamedTuple of {declared}")
    if fields != declared:
        raise StrategyError(f"{place}: {hint.__name__} has the fields {fields}, the parameters are {declared}")
    return hint  # type: ignore[no-any-return]
