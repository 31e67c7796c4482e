"""How ready a context is to leave the app: what in its code, and around it, would break, each with file and line.

It reads sources, and imports nothing of what it reads. The ratchet is a file with the numbers that were accepted; they
may only fall.
"""

import ast
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RATCHET = ROOT / "extract" / "readiness.json"
_NO_CONTEXTS = ("alerts", "api", "audit", "console", "demo")
"""Packages that show and check what contexts do: what people ask of a context is passed on to whoever leads it."""
_PUBLIC = ("contracts", "interface", "book_contracts")
_CLOCKS = {
    ("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"),
    ("uuid", "uuid4"), ("uuid", "uuid1"), ("os", "urandom"),
}  # fmt: skip
_RELATIONS = ("ForeignKey", "OneToOneField", "ManyToManyField")


class Finding(NamedTuple):
    """Something that would break."""

    check: str
    path: str
    line: int
    detail: str


class Source(NamedTuple):
    """A file as it is read, by its path from `root`; `context` is the one whose code it is, "" for none."""

    root: Path
    path: Path
    context: str
    nodes: Sequence[ast.AST]


def scan(context: str, root: Path = ROOT) -> list[Finding]:
    """Return everything that stands between a context and a service of its own, in the order of files."""
    sources = list(_sources(root))
    found = [finding for check in _CHECKS for source in sources for finding in check(context, source)]
    return sorted(set(found), key=lambda each: (each.check, each.path, each.line))


@cache
def scanned(context: str) -> Sequence[Finding]:
    """Return what `scan` finds in the code of this process, which does not change while it runs."""
    return tuple(scan(context))


def counts(found: Sequence[Finding]) -> dict[str, int]:
    """Return how many findings each check has, the checks that found nothing included."""
    counted = Counter(each.check for each in found)
    return {name: counted[name] for name in CHECKS}


def beyond(context: str, now: dict[str, int], ratchet: Path = RATCHET) -> list[str]:
    """Return what has become worse than the ratchet allows."""
    held: dict[str, dict[str, int]] = json.loads(ratchet.read_text()) if ratchet.exists() else {}
    allowed = held.get(context, {})
    return [
        f"{name}: {count}, where {allowed.get(name, 0)} were"
        for name, count in now.items()
        if count > allowed.get(name, 0)
    ]


def tighten(context: str, now: dict[str, int], ratchet: Path = RATCHET) -> None:
    """Accept what there is now, where that is less than was accepted, or nothing was yet."""
    held: dict[str, dict[str, int]] = json.loads(ratchet.read_text()) if ratchet.exists() else {}
    allowed = held.get(context)
    held[context] = now if allowed is None else {name: min(count, allowed.get(name, 0)) for name, count in now.items()}
    ratchet.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n")


def _sources(root: Path) -> Iterator[Source]:
    for folder in ("apps", "settings", "platform/banyan", "platform/trading"):
        for path in sorted((root / folder).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            place = path.relative_to(root)
            context = place.parts[1] if place.parts[0] == "apps" else ""
            if context in _NO_CONTEXTS:
                continue
            yield Source(root, place, context, _nodes(path, path.stat().st_mtime_ns))


@cache
def _nodes(path: Path, _: int) -> Sequence[ast.AST]:
    """Return all nodes of a file as it was written at a time."""
    return tuple(ast.walk(ast.parse(path.read_text(), str(path))))


def _at(check: str, source: Source, node: ast.AST, detail: str) -> Finding:
    return Finding(check, source.path.as_posix(), getattr(node, "lineno", 1), detail)


def _imported(source: Source) -> Iterator[tuple[ast.AST, str]]:
    for node in source.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"


def imports(context: str, source: Source) -> Iterator[Finding]:
    """Yield imports of the context's inner modules by others, and of others' inner modules by the context."""
    if not source.context:
        return
    for node, name in _imported(source):
        parts = name.split(".")
        if parts[0] != "apps" or len(parts) < 3 or parts[1] == source.context:
            continue
        if context in (source.context, parts[1]) and parts[2] not in _PUBLIC:
            yield _at("imports", source, node, f"apps.{source.context} imports {name}")


def calls(context: str, source: Source) -> Iterator[Finding]:
    """Yield calls across the context's border that wait for an answer: uses of an interface, in or out."""
    if not source.context:
        return
    for node, name in _imported(source):
        parts = name.split(".")
        is_call = parts[0] == "apps" and len(parts) > 3 and parts[2] == "interface" and parts[1] != source.context
        if is_call and context in (source.context, parts[1]):
            yield _at("calls", source, node, f"apps.{source.context} calls {name}")


def queries(context: str, source: Source) -> Iterator[Finding]:
    """Yield reads of the context's tables by others: `.using("<context>")`, `connections["<context>"]`, `Store(…)`."""
    if source.context == context:
        return
    for node in source.nodes:
        text = _first_text(node)
        if text == context:
            yield _at("queries", source, node, f"{ast.unparse(node)[:60]}")


def _first_text(node: ast.AST) -> str:
    """Return the text that names a database in a call or a subscript, "" where there is none."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "connections":
        place: ast.AST = node.slice
    elif isinstance(node, ast.Call) and node.args and _name_of(node.func) in ("using", "Store"):
        place = node.args[0]
    else:
        return ""
    return place.value if isinstance(place, ast.Constant) and isinstance(place.value, str) else ""


def relations(context: str, source: Source) -> Iterator[Finding]:
    """Yield foreign keys that lead into the context or out of it."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and _name_of(node.func) in _RELATIONS and node.args:
            target = node.args[0]
            named = str(target.value) if isinstance(target, ast.Constant) else ""
            label = named.partition(".")[0] if "." in named else ""
            if label and label != source.context and context in (label, source.context):
                yield _at("relations", source, node, f"{_name_of(node.func)} to {ast.unparse(target)}")


def get_model(context: str, source: Source) -> Iterator[Finding]:
    """Yield models of the context that others look up by a string."""
    for node in source.nodes:
        if not (isinstance(node, ast.Call) and _name_of(node.func) == "get_model") or source.context == context:
            continue
        labels = [str(each.value).partition(".")[0] for each in node.args if isinstance(each, ast.Constant)]
        if context in labels:
            yield _at("get_model", source, node, ast.unparse(node)[:60])


def transactions(context: str, source: Source) -> Iterator[Finding]:
    """Yield transactions on the context's database that others open."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and _name_of(node.func) == "atomic" and source.context != context:
            named = [
                each.value
                for each in (*node.args, *(word.value for word in node.keywords))
                if isinstance(each, ast.Constant)
            ]
            if context in named:
                yield _at("transactions", source, node, ast.unparse(node)[:60])


def non_determinism(context: str, source: Source) -> Iterator[Finding]:
    """Yield clocks, chance and the order of sets in what decides."""
    if source.context != context or not _decides(source):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = _name_of(node.func.value)
            if (owner, node.func.attr) in _CLOCKS or owner == "random":
                yield _at("non-determinism", source, node, f"{ast.unparse(node.func)}()")
        loop = node.iter if isinstance(node, ast.For | ast.comprehension) else None
        is_set = isinstance(loop, ast.Set | ast.SetComp) or (
            isinstance(loop, ast.Call) and _name_of(loop.func) in ("set", "frozenset")
        )
        if loop is not None and is_set:
            yield _at("non-determinism", source, loop, f"the order of {ast.unparse(loop)[:40]}")


def _decides(source: Source) -> bool:
    """Tell whether a file is reached from `core`: of a context all but what Django and people use."""
    apart = {"apps", "admin", "models", "interface", "words", "reading", "management", "store"}
    return not apart & set(source.path.with_suffix("").parts[2:])


def schemas(context: str, source: Source) -> Iterator[Finding]:
    """Yield messages of the context that have no schema in docs/schemas."""
    if source.context != context:
        return
    for node in source.nodes:
        if isinstance(node, ast.ClassDef):
            for each in node.decorator_list:
                if (
                    isinstance(each, ast.Call)
                    and _name_of(each.func) == "message"
                    and isinstance(each.args[0], ast.Constant)
                ):
                    name = str(each.args[0].value)
                    if not (source.root / "docs" / "schemas" / f"{name}.json").exists():
                        yield _at("schemas", source, node, name)


def _name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


_CHECKS: tuple[Callable[[str, Source], Iterator[Finding]], ...] = (
    imports, calls, queries, relations, get_model, transactions, non_determinism, schemas,
)  # fmt: skip
CHECKS = ("imports", "calls", "queries", "relations", "get_model", "transactions", "non-determinism", "schemas")
