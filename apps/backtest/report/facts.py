"""What the report reads from a run's manifest, each with what holds where the manifest does not say."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.report import figures
from apps.backtest.result import Result
from trading.instruments import Instrument
from trading.intervals import format_interval
from trading.metrics import periods_per_year
from trading.sessions import days_per_week, session_days


@dataclass(frozen=True, slots=True)
class Facts:
    """One run's circumstances: account currency and cash, session, intervals, metric definitions, annualisation."""

    currency: str
    cash: float
    session: Instrument
    interval: str
    command: str
    definitions: Mapping[str, Any]
    returns: str
    days_per_year: float
    risk_free: float

    @property
    def session_text(self) -> str:
        """The zone in which days begin and end, and when they do: "America/New_York, the day turning at 17:00"."""
        minutes = self.session.day_turn_minutes % 1440
        turn = f", the day turning at {minutes // 60:02d}:{minutes % 60:02d}" if minutes else ""
        return f"{self.session.time_zone}{turn}"

    def money(self, value: float | None, decimals: int = 2, *, signed: bool = False) -> str:
        """Write an amount in the account's currency."""
        text = figures.number(value, decimals, signed=signed)
        return f"{text}{figures.THIN}{self.currency}" if self.currency and text != figures.NOTHING else text


def read_facts(result: Result) -> Facts:
    """Gather a run's facts from its manifest.

    `options` holds the Options, `instruments` the fields of each Instrument (a list, or a mapping by id),
    `metric_definitions` what `trading.metrics.definitions` gave, `command` the command line as text or words.
    """
    manifest = result.manifest
    options = _mapping(manifest.get("options"))
    stored = _mapping(manifest.get("metric_definitions"))
    basis = _mapping(stored.get("basis"))
    session = _session(manifest, basis)
    return Facts(
        currency=str(options.get("currency") or manifest.get("currency") or session.currency),
        cash=_cash(options, manifest, result),
        session=session,
        interval=_interval(result),
        command=command_text(manifest),
        definitions=_mapping(stored.get("metrics")),
        returns=str(stored.get("returns", "")),
        days_per_year=_days_per_year(basis, session, result.time),
        risk_free=(_number(options.get("risk_free_pct")) or 0.0) / 100.0,
    )


def command_text(manifest: Mapping[str, Any]) -> str:
    """The command line that gives this run again, "" where the manifest has none."""
    command = manifest.get("command") or ""
    return command if isinstance(command, str) else shlex.join(str(word) for word in command)


def flatten(manifest: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Give every leaf of nested mappings as (name, text), the names joined by dots."""
    for key, value in manifest.items():
        here = (*path, str(key))
        if isinstance(value, Mapping):
            yield from flatten(value, here)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            yield from flatten({str(place + 1): item for place, item in enumerate(value)}, here)
        else:
            yield ".".join(here), _leaf(value, str(key))


def _leaf(value: Any, key: str) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_leaf(item, key) for item in value) or figures.NOTHING
    if value is None or (isinstance(value, float) and value != value):
        return figures.NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    return figures.significant(value, 12) if isinstance(value, int | float) and "seed" not in key else str(value)


def _session(manifest: Mapping[str, Any], basis: Mapping[str, Any]) -> Instrument:
    given = manifest.get("instruments")
    found = list(given.values()) if isinstance(given, Mapping) else list(given or ())
    first = _mapping(found[0]) if found else {}
    return Instrument(
        id=str(first.get("id", "")),
        currency=str(first.get("currency", "")),
        calendar=str(basis.get("calendar") or first.get("calendar") or "24x5"),
        time_zone=str(basis.get("time_zone") or first.get("time_zone") or "UTC"),
        day_turn_minutes=int(basis.get("day_turn_minutes", first.get("day_turn_minutes", 0)) or 0),
    )


def _days_per_year(basis: Mapping[str, Any], session: Instrument, time: NDArray[np.int64]) -> float:
    stored = _number(basis.get("periods_per_year")) if basis.get("returns", "daily") == "daily" else None
    return stored or periods_per_year(session.calendar, week=days_per_week(session_days(time - 1, session)))


def _cash(options: Mapping[str, Any], manifest: Mapping[str, Any], result: Result) -> float:
    cash = _number(options.get("cash", manifest.get("cash")))
    return cash if cash is not None else float(result.equity[0]) if result.equity.size else 0.0


def _interval(result: Result) -> str:
    names = dict.fromkeys(format_interval(bars.interval) for bars in result.bars if bars.interval)
    return ", ".join(names)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
