"""Strategies by name: how they are declared, found, loaded and bound to parameters."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from apps.signals.classic import ClassStrategy
from apps.signals.errors import StrategyError, strategy_errors
from apps.signals.parameters import Parameter, StrategyParameterError
from trading.compiled import kernel

_SHIPPED = Path(__file__).parent / "strategies"


class UnknownStrategyError(LookupError):
    """No strategy of that name, or no such file."""


@dataclass(frozen=True)
class CrossingLines:
    """Declares a strategy that is long while one line is above another, and nothing else.

    `columns(close, window, out)` is a kernel that writes a whole line (float64, nan during its warm-up), bit-equal to
    the incremental one in `on_bar`; `fast` and `slow` name the parameters that hold the windows. Where either line is
    nan the strategy has no opinion; where fast is not above slow its weight is 0, or -1 if the parameter `side` says "both".
    """

    columns: Any
    fast: str
    slow: str
    side: str | None = None

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
    is never so. `sizing` is the sizing a run uses when none is asked for, `lines` a CrossingLines or None. `code_hash` is
    of the source file.
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
    state: Callable[[Any, int], Any] | None = None,
    warmup: Callable[[Any], int] = lambda params: 1,
    settles: Callable[[Any], int] | str | None = None,
    channels: int | None = 1,
    sizing: str = "all-in",
    lines: CrossingLines | None = None,
    check: Callable[[Any], str | None] | None = None,
    name: str | None = None,
) -> Callable[[Any], Strategy]:
    """Declare the function (or ClassStrategy) below as a strategy, compile it at its first call, and register it.

    `state(params, channels)` makes the state: a NamedTuple of arrays declared at module level, as the NamedTuple that
    annotates `params` is, whose fields are the `parameters` in order. `settles` defaults to `warmup`; "never" says that
    what the strategy wants depends on all its history (a position it remembers, a counter). `check(params)` returns
    a complaint about a combination of values, or None. Raises StrategyError for a declaration that does not add up.
    """

    def declare(body: Any) -> Strategy:
        source = Path(sys.modules[body.__module__].__file__ or "")
        line = body.__code__.co_firstlineno if hasattr(body, "__code__") else 1
        place = f"{source}:{line}"
        is_class = isinstance(body, type) and issubclass(body, ClassStrategy)
        if not is_class and state is None:
            raise StrategyError(f"{place}: {body.__name__} needs state=, a function that makes its state")
        params_type = _params_type(body.initialize if is_class else body, place)
        declared = tuple(each.name for each in parameters)
        if getattr(params_type, "_fields", None) != declared:
            raise StrategyError(f"{place}: the fields of {params_type.__name__} are not the parameters {declared}")
        made = Strategy(
            name=name or body.__name__,
            doc=(body.__doc__ or "").strip(),
            kind="class" if is_class else "kernel",
            on_bar=None if is_class else kernel(body),
            init=(lambda params, channels: body()) if is_class else state,  # type: ignore[arg-type]
            params_type=params_type,
            parameters=tuple(parameters),
            warmup=warmup,
            settles=None if settles == "never" else (settles or warmup),  # type: ignore[arg-type]
            channels=channels,
            sizing=sizing,
            lines=lines,
            check=check,
            module=body.__module__,
            source=source,
            code_hash=hashlib.sha256(source.read_bytes()).hexdigest()[:16],
        )
        made.bind()
        return made

    return declare


def get_strategy(name: str) -> Strategy:
    """Return the strategy `name`: a shipped one, or "path/to/file.py:name" ("path/to/file.py" where it has just one).

    Raises UnknownStrategyError where there is none, and StrategyError where its file cannot be loaded.
    """
    path, _, member = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    if path.endswith(".py"):
        return _from_file(Path(path), member)
    modules = _shipped_modules()
    if name not in modules:
        near = get_close_matches(name, modules, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(modules)}"
        raise UnknownStrategyError(f"no strategy {name!r}: {hint} (your own: path/to/file.py:name)")
    source = _SHIPPED / f"{modules[name].rpartition('.')[2]}.py"
    with strategy_errors(source):
        module = importlib.import_module(modules[name])
    return _members(module)[name]


def list_strategies() -> tuple[str, ...]:
    """Return the names of the shipped strategies, sorted, importing none of them."""
    return tuple(_shipped_modules())


def _shipped_modules() -> dict[str, str]:
    stems = sorted(path.stem for path in _SHIPPED.glob("[a-z]*.py"))
    return {stem.rstrip("_"): f"apps.signals.strategies.{stem}" for stem in stems}


def _from_file(path: Path, member: str) -> Strategy:
    if not path.is_file():
        raise UnknownStrategyError(f"no strategy file {path}")
    with strategy_errors(path):
        found = _members(_load(path.resolve()))
    if not found:
        raise UnknownStrategyError(f"{path} declares no strategy: decorate a function with @strategy(...)")
    if not member and len(found) > 1:
        raise UnknownStrategyError(f"{path} has {', '.join(found)}: say which, {path}:{next(iter(found))}")
    if member and member not in found:
        raise UnknownStrategyError(f"{path} has no strategy {member!r}: it has {', '.join(found)}")
    return found[member] if member else next(iter(found.values()))


def _load(path: Path) -> ModuleType:
    """Import the file under a name made from its path, the same in every process; again when it has changed."""
    stamp = hashlib.sha256(path.read_bytes()).hexdigest()
    name = f"strategy_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__banyan_stamp__", None) == stamp:
        return loaded
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UnknownStrategyError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    module.__dict__["__banyan_stamp__"] = stamp
    return module


def _members(module: ModuleType) -> dict[str, Strategy]:
    found = (each for each in vars(module).values() if isinstance(each, Strategy))
    return {each.name: each for each in found if each.module == module.__name__}


def _params_type(function: Any, place: str) -> type:
    """Return the type that annotates the last argument: Params."""
    arguments = function.__code__.co_varnames[: function.__code__.co_argcount]
    hint = get_type_hints(function).get(arguments[-1]) if arguments else None
    if hint is None:
        raise StrategyError(f"{place}: annotate the last argument of {function.__name__} with its Params")
    return hint  # type: ignore[no-any-return]
