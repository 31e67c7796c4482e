"""Bars that several processes work on: written once to the shared cache, named by a hash of what they are."""

import hashlib
import json
import os
import secrets
import time
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from apps.backtest.request import Loaded
from trading.bars import Bars
from trading.compiled import data_directory
from trading.instruments import Instrument

KEPT_DAYS = 7
_COLUMNS = tuple(each.name for each in fields(Bars) if each.name != "interval")


class SharedBarsError(LookupError):
    """The bars of a sweep are not in the cache of this machine."""


def share(loaded: Loaded) -> str:
    """Write the bars to the shared cache, unless they are there already, and return their name."""
    arrays, described = _flat(loaded)
    whole = hashlib.sha256(described.encode())
    for name, array in arrays.items():
        whole.update(name.encode() + b"\0")
        whole.update(array)
    name = whole.hexdigest()[:32]
    path = _path(name)
    if path.exists():
        os.utime(path)
        return name
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_out(path.parent)
    half = path.with_name(f".{name}.{secrets.token_hex(4)}.npz")
    np.savez(half, **arrays, described=np.frombuffer(described.encode(), np.uint8))
    half.replace(path)
    return name


@lru_cache(maxsize=2)
def shared(name: str) -> Loaded:
    """Return the bars that `share` named. Raises SharedBarsError where this machine does not see them."""
    path = _path(name)
    if not path.is_file():
        raise SharedBarsError(
            f"no {path}: workers must see the same data directory as the sweep (BANYAN_DATA_DIR, on a shared disk)"
        )
    with np.load(path) as stored:
        described = json.loads(stored["described"].tobytes())
        series = [_bars(stored, index, interval) for index, interval in enumerate(described["intervals"])]
    names, money = described["names"], described["conversion"]
    return Loaded(
        bars=dict(zip(names, series, strict=False)),
        instruments={name: Instrument(**each) for name, each in zip(names, described["instruments"], strict=True)},
        benchmark=series[-1] if described["benchmark"] else None,
        conversion=dict(zip(money, series[len(names) :], strict=False)),
    )


def _flat(loaded: Loaded) -> tuple[dict[str, Any], str]:
    series = [*loaded.bars.values(), *loaded.conversion.values()]
    series += [loaded.benchmark] if loaded.benchmark is not None else []
    arrays = {
        f"{index}.{name}": np.ascontiguousarray(getattr(bars, name))
        for index, bars in enumerate(series)
        for name in _COLUMNS
        if getattr(bars, name) is not None
    }
    described = {
        "names": list(loaded.bars),
        "conversion": list(loaded.conversion),
        "benchmark": loaded.benchmark is not None,
        "intervals": [bars.interval for bars in series],
        "instruments": [asdict(loaded.instruments[name]) for name in loaded.bars],
    }
    return arrays, json.dumps(described)


def _bars(stored: Any, index: int, interval: int) -> Bars:
    columns = {name: stored[f"{index}.{name}"] for name in _COLUMNS if f"{index}.{name}" in stored}
    return Bars(**columns, interval=interval)


def _path(name: str) -> Path:
    return data_directory() / "cache" / "sweeps" / f"{name}.npz"


def _sweep_out(folder: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 86_400
    for path in folder.glob("*.npz"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
