"""Runs in the database: saved whole, found by a few letters, given back as results."""

import hashlib
import json
import zlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from apps.backtest.models import Run, RunArray
from apps.backtest.request import RunRequest, rows
from apps.backtest.result import Result
from apps.backtest.store_plain import plain
from trading.bars import Bars

ARRAYS = ("time", "equity", "exposure", "fill_records", "trade_records", "benchmark")
PROVED = {"equity": "equity", "fills": "fill_records", "trades": "trade_records"}


class RunNotFoundError(LookupError):
    """No stored run, or more than one, begins with these letters."""


class StoredRunError(ValueError):
    """The arrays of a stored run are not what was stored."""


def digests(result: Result) -> dict[str, str]:
    """Return SHA-256 digests (hex) of the bytes of equity, fills and trades, and of the times they stand at."""
    return {name: digest(getattr(result, attribute)) for name, attribute in {**PROVED, "time": "time"}.items()}


def digest(array: NDArray[Any]) -> str:
    """Return the SHA-256 (hex) of an array's type, length and bytes."""
    whole = hashlib.sha256(f"{json.dumps(_described(array.dtype))}{array.shape}".encode())
    whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


def save(
    result: Result, request: RunRequest, *, source: str, kind: str = "backtest", extra: dict[str, Any] | None = None
) -> Run:
    """Store a result whole, or, if anything fails, not at all; return its row.

    `source` is the text of the strategy's file as it was run, `extra` goes into the stored request (what a
    walk-forward needs besides).
    """
    manifest = plain(result.manifest)
    run = Run(
        kind=kind,
        strategy=result.strategy,
        instruments=list(result.channels),
        interval=request.data.interval or manifest.get("interval", ""),
        first_bar=_moment(min(int(bars.time[0]) for bars in result.bars)),
        last_bar=_moment(max(int(bars.time[-1]) for bars in result.bars)),
        bars=int(result.metrics.get("bars", result.time.size)),
        params=plain(result.params),
        options=plain(request.options),
        request={**request.as_json(), "params_order": list(result.params), **(extra or {})},
        manifest=manifest,
        code_hash=manifest["code_hash"],
        source=source,
        data_hash=manifest["data_hash"],
        engine_version=str(manifest["engine_version"]),
        environment=manifest["environment"],
        metrics=plain(result.metrics),
        metrics_version=str(manifest["metrics_version"]),
        digests=digests(result),
        engine_seconds=float(result.metrics["engine_seconds"]),
        notes=list(result.notes),
    )
    arrays = [_row(run, name, getattr(result, name)) for name in ARRAYS if getattr(result, name) is not None]
    with transaction.atomic(using=Run.objects.db):
        run.save()
        RunArray.objects.bulk_create(arrays)
    return run


def save_as_run(result: Result, request: RunRequest, **more: Any) -> str:
    """Store a result with its strategy's file as it is now, as `save` does, and return the run's short id."""
    from apps.signals.interface import get_strategy

    return save(result, request, source=get_strategy(request.strategy).source.read_text(), **more).short_id


def opens(run: Run) -> tuple[int, int]:
    """Return when the first and the last bar of a stored run opened, in ns UTC."""
    return tuple(round(each.timestamp() * 1e6) * 1000 for each in (run.first_bar, run.last_bar))  # type: ignore[return-value]


def find(letters: str) -> Run:
    """Return the run whose short id begins with `letters`; "last" is the newest. Raises RunNotFoundError."""
    if letters == "last":
        newest = Run.objects.first()
        if newest is None:
            raise RunNotFoundError("no run is stored yet: `manage.py backtest` stores each run on imported bars")
        return newest
    found = list(Run.objects.filter(short_id__startswith=letters.lower())[:3])
    if len(found) == 1:
        return found[0]
    if not found:
        raise RunNotFoundError(f"no run {letters!r} is stored: `manage.py runs` lists them")
    raise RunNotFoundError(f"{letters!r} begins more than one run: {', '.join(run.short_id for run in found)}, ...")


def arrays(run: Run) -> dict[str, NDArray[Any]]:
    """Return the stored arrays of a run by name. Raises StoredRunError when one is not what was stored."""
    found = {row.name: unpacked(bytes(row.packed), _dtype(row.dtype), row.length) for row in run.arrays.all()}
    for name, attribute in PROVED.items():
        if attribute not in found or digest(found[attribute]) != run.digests[name]:
            raise StoredRunError(
                f"run {run.short_id}: the stored {name} have changed or are missing; delete and run it again"
            )
    return found


def result(run: Run, *, bars: bool = False) -> Result:
    """Return the stored result; with `bars` its prices are read again from where they came.

    Raises StoredRunError, and with `bars` what reading them raises.
    """
    request = RunRequest.from_json(without_extra(run.request))
    kept = arrays(run)
    loaded = tuple(_closing_at(each, kept["time"]) for each in request.data.load().bars.values()) if bars else ()
    return Result(
        strategy=run.strategy,
        params=run.params_in_order(),
        channels=tuple(run.instruments),
        bars=loaded,
        metrics=run.metrics_in_order(),
        manifest=run.manifest,
        notes=tuple(run.notes),
        **kept,
    )


def _closing_at(bars: Bars, closes: NDArray[np.int64]) -> Bars:
    """Return the bars that close at any of `closes` (ns UTC): all, or those of a walk-forward's test spans."""
    return rows(bars, np.flatnonzero(np.isin(bars.time + bars.interval, closes)))


def without_extra(request: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a stored request that RunRequest knows."""
    return {name: request[name] for name in ("strategy", "data", "params", "options")}


def packed(array: NDArray[Any]) -> bytes:
    """Return the compressed bytes of an array whose items have 8-byte fields.

    The bytes are transposed first, so that the signs and exponents of neighbours stand together: half the size at a
    third of the time.
    """
    contiguous = np.ascontiguousarray(array)
    width = contiguous.dtype.itemsize
    return zlib.compress(contiguous.view(np.uint8).reshape(-1, width).T.tobytes(), level=1)


def unpacked(data: bytes, dtype: np.dtype[Any], length: int) -> NDArray[Any]:
    """Return the array that `packed` was given. Raises StoredRunError where the bytes are damaged."""
    try:
        columns = np.frombuffer(zlib.decompress(data), np.uint8).reshape(dtype.itemsize, length)
    except (zlib.error, ValueError) as error:
        raise StoredRunError(f"stored bytes are damaged: {error}") from error
    return np.ascontiguousarray(columns.T).reshape(-1).view(dtype)


def _row(run: Run, name: str, array: NDArray[Any]) -> RunArray:
    return RunArray(run=run, name=name, dtype=_described(array.dtype), length=array.size, packed=packed(array))


def _described(dtype: np.dtype[Any]) -> Any:
    if dtype.names is None:
        return dtype.str
    return [[name, dtype[name].str] for name in dtype.names]


def _dtype(described: Any) -> np.dtype[Any]:
    return (
        np.dtype(described)
        if isinstance(described, str)
        else np.dtype([(name, kind) for name, kind in described], align=True)
    )


def _moment(time: int) -> datetime:
    return datetime.fromtimestamp(time // 1_000_000_000, tz=UTC)
