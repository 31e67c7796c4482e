"""Runs side by side: their metrics, and in what they differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.backtest.models import Run
from apps.backtest.store_plain import plain

# What may differ between runs, and where a run has it.
_SUBJECTS = ("strategy", "code_hash", "data_hash", "engine_version", "metrics_version", "interval")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`metrics` and `differences` have one row per name: the value in each run, None where it has none."""

    runs: tuple[str, ...]
    metrics: dict[str, list[Any]]
    differences: dict[str, list[Any]] = field(default_factory=dict)


def compare(runs: Sequence[Run]) -> Comparison:
    """Return the metrics of `runs` side by side, and of what was run only that which is not the same in all."""
    names = dict.fromkeys(name for run in runs for name in run.metrics_in_order())
    metrics = {name: [run.metrics.get(name) for run in runs] for name in names}
    asked = [described(run) for run in runs]
    values = {
        name: [facts.get(name) for facts in asked] for name in dict.fromkeys(each for facts in asked for each in facts)
    }
    differences = {name: each for name, each in values.items() if len({repr(value) for value in each}) > 1}
    return Comparison(tuple(run.short_id for run in runs), metrics, differences)


def described(run: Run) -> dict[str, Any]:
    """Return all that decides a run, as flat names and values."""
    facts: dict[str, Any] = {name: getattr(run, name) for name in _SUBJECTS}
    facts["instruments"] = " ".join(run.instruments)
    facts["first_bar"], facts["last_bar"] = str(run.first_bar), str(run.last_bar)
    facts |= {f"param {name}": value for name, value in run.params_in_order().items()}
    facts |= {f"option {name}": value for name, value in run.options_in_order().items()}
    return facts | {f"environment {name}": value for name, value in flat(run.environment).items()}


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested mapping as one level of dotted names."""
    found: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = plain(value)
    return found
