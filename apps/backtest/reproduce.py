"""Runs done again from what is stored of them, and what is different when the outcome is."""

import difflib
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest import store
from apps.backtest.compare import flat
from apps.backtest.models import Run
from apps.backtest.request import RunRequest, iso
from apps.backtest.result import Result
from apps.backtest.store_plain import plain
from apps.backtest.walkforward import walk_as_asked
from trading.compiled import data_directory


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A run done again.

    `outcome` says, for equity, fills and trades, "" where they are the same to the last bit, else where they part;
    `causes` says what in code, data or environment is not what it was.
    """

    result: Result
    outcome: dict[str, str]
    causes: tuple[str, ...]
    source_diff: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether equity, fills and trades are the same to the last bit."""
        return not any(self.outcome.values())


def reproduce(run: Run, *, stored_code: bool = False) -> Reproduction:
    """Do a stored run again and compare it. With `stored_code` the strategy is the stored source, not today's file.

    A walk-forward chooses its parameters anew in every window; a search is not done again, but the run that it found.
    Raises whatever the run raises.
    """
    request = RunRequest.from_json(store.without_extra(run.request))
    if stored_code:
        request = replace(request, strategy=f"{_stored_file(run)}:{run.strategy}")
    loaded = request.data.load()
    if run.kind == "walkforward":
        result = walk_as_asked(request, loaded, run.request["walkforward"]).result
    else:
        result = request.run(loaded)
    arrays = store.arrays(run)
    outcome = {
        name: _parting(name, arrays[attribute], getattr(result, attribute), arrays["time"])
        for name, attribute in store.PROVED.items()
    }
    return Reproduction(result, outcome, tuple(_causes(run, result)), _source_diff(run, request))


def _stored_file(run: Run) -> Path:
    """Write the stored source where the same text always has the same path, and return it."""
    text = run.source.encode()
    path = data_directory() / "cache" / "strategies" / hashlib.sha256(text).hexdigest()[:16] / f"{run.strategy}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != text:
        path.write_bytes(text)
    return path


def _parting(name: str, before: NDArray[Any], now: NDArray[Any], time: NDArray[np.int64]) -> str:
    """Return where two arrays part, or "" where their bytes are the same."""
    if store.digest(before) == store.digest(now):
        return ""
    size = min(before.size, now.size)
    width = before.dtype.itemsize
    if before.dtype == now.dtype and size:
        rows = [np.ascontiguousarray(each[:size]).view(np.uint8).reshape(size, width) for each in (before, now)]
        differ = np.flatnonzero((rows[0] != rows[1]).any(axis=1))
        if differ.size:
            first = int(differ[0])
            when = f", {iso(time[first])}" if name == "equity" and first < time.size else ""
            return f"first different at row {first}{when}: it was {_told(before[first])}, it is {_told(now[first])}"
    return f"there were {before.size}, there are {now.size}"


def _told(value: Any) -> str:
    if value.dtype.names:
        return ", ".join(
            f"{name}={value[name]}"
            for name in value.dtype.names
            if name in ("bar", "entry_bar", "quantity", "price", "pnl")
        )
    return repr(float(value))


def _causes(run: Run, result: Result) -> list[str]:
    now = plain(result.manifest)
    causes = []
    for name, told in (
        ("code_hash", "code of the strategy"),
        ("data_hash", "data"),
        ("engine_version", "engine"),
        ("metrics_version", "metrics"),
    ):
        before = getattr(run, name)
        if str(now.get(name)) != str(before):
            causes.append(f"{told}: it was {before}, it is {now.get(name)}")
    if result.time.size != run.arrays.get(name="equity").length:
        causes.append(
            f"data: there were {run.arrays.get(name='equity').length:,} closes, there are {result.time.size:,}"
        )
    before, after = flat(run.environment), flat(now.get("environment", {}))
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            causes.append(f"environment, {name}: it was {before.get(name)}, it is {after.get(name)}")
    return causes


def _source_diff(run: Run, request: RunRequest) -> str:
    from apps.signals.interface import get_strategy

    path = get_strategy(request.strategy).source
    lines = difflib.unified_diff(
        run.source.splitlines(),
        path.read_text().splitlines(),
        f"as run {run.short_id} had it",
        str(path),
        lineterm="",
        n=2,
    )
    return "\n".join(lines)
