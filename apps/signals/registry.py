"""Strategies by name: shipped ones, and those in files of their own."""

import hashlib
import importlib
import importlib.util
import linecache
import os
import sys
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from apps.signals.declaration import Strategy
from apps.signals.errors import strategy_errors

_SHIPPED = Path(__file__).parent / "strategies"


class UnknownStrategyError(LookupError):
    """No strategy of that name, or no such file."""

    exit_code = 2  # of a command: wrong usage


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


@lru_cache(maxsize=1)
def _shipped_modules() -> dict[str, str]:
    with os.scandir(_SHIPPED) as entries:
        names = (entry.name for entry in entries if entry.name.endswith(".py") and not entry.name.startswith("_"))
        stems = sorted(name.removesuffix(".py") for name in names)
    return {stem.rstrip("_"): f"apps.signals.strategies.{stem}" for stem in stems}


def _from_file(path: Path, member: str) -> Strategy:
    if not path.is_file():
        raise UnknownStrategyError(f"no strategy file {path}: `manage.py new_strategy NAME` writes one to begin with")
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
    source = path.read_bytes()
    stamp = hashlib.sha256(source).hexdigest()
    name = f"strategy_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__banyan_stamp__", None) == stamp:
        return loaded
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UnknownStrategyError(f"{path} is not a Python file")
    linecache.checkcache(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Not by the loader: it trusts bytecode whose source has the same size and the same second.
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102  (a strategy's file is code to run)
    except BaseException:
        del sys.modules[name]
        raise
    module.__dict__["__banyan_stamp__"] = stamp
    return module


def _members(module: ModuleType) -> dict[str, Strategy]:
    found = (each for each in vars(module).values() if isinstance(each, Strategy))
    return {each.name: each for each in found if each.module == module.__name__}
