"""What a job may be: read and checked when it is asked for, so that who asks hears at once what is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from apps.backtest.cli_grid import parse_grid, parse_span, size
from apps.backtest.options import Options
from apps.backtest.request import DataRequest, RunRequest, parse_time
from apps.signals.interface import get_strategy, list_strategies
from trading.intervals import parse_interval

Kind = Literal["backtest", "sweep", "walkforward"]
KINDS: Sequence[Kind] = get_args(Kind)
COMBINATIONS_MAX = 10_000
INSTRUMENTS_MAX = 20
Value = int | float | str


class JobError(ValueError):
    """What was asked for is no job that can be done: the message says why."""

    exit_code = 2  # of a command: wrong usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A job as it is asked for: a shipped strategy on stored bars.

    `options` are fields of `Options`. `grid` gives, by parameter, values or a text as `manage.py sweep` takes it
    ("5:25:1"); without any the values are swept that the strategy declares. `train`, `test` and `step` are spans such
    as "2y"; `begins` (included) and `ends` (left out) ISO times, UTC.
    """

    kind: Kind
    strategy: str
    instruments: Sequence[str]
    interval: str
    begins: str = ""
    ends: str = ""
    adjust: Literal["none", "splits", "all"] = "all"
    benchmark: str = ""
    conversions: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, str | Sequence[Value]] = field(default_factory=dict)
    rank: str = "sharpe"
    train: str = ""
    test: str = ""
    step: str = ""
    anchored: bool = False


def checked(wanted: Wanted) -> dict[str, Any]:
    """Return a job as it is kept: `request` as RunRequest writes it, `grid`, `rank` and the spans where they matter.

    Raises JobError, and the errors of strategies, parameters, options, grids, times and instruments.
    """
    if wanted.kind not in KINDS:
        raise JobError(f"there is no job {wanted.kind}: choose one of {', '.join(KINDS)}")
    if wanted.strategy not in list_strategies():  # so that no job names a file
        raise JobError(f"there is no strategy {wanted.strategy}: choose one of {', '.join(list_strategies())}")
    strategy = get_strategy(wanted.strategy)
    values = {name: strategy.parse(name, str(value)) for name, value in wanted.parameters.items()}
    Options.of(dict(wanted.options))
    request = RunRequest(strategy=wanted.strategy, params=values, options=dict(wanted.options), data=_data(wanted))
    if wanted.kind == "backtest":
        _refuse_given(wanted, "grid", "train", "test", "step", "anchored")
        strategy.bind(**values)
        return {"request": request.as_json()}
    grid = parse_grid(strategy, [f"{name}={_written(each)}" for name, each in wanted.grid.items()])
    if (count := size(grid)) > COMBINATIONS_MAX:
        raise JobError(f"the grid has {count:,} combinations, more than {COMBINATIONS_MAX:,}: take larger steps")
    _check_rank(wanted.rank)
    asked = {"request": request.as_json(), "grid": grid, "rank": wanted.rank}
    if wanted.kind == "sweep":
        _refuse_given(wanted, "train", "test", "step", "anchored")
        return asked
    for name in ("train", "test", "step"):
        text = getattr(wanted, name)
        if text:
            parse_span(text)
        elif name != "step":
            raise JobError(f"a walk-forward needs {name}: a span such as 2y, 6mo, 3w or 10d")
    return asked | {name: getattr(wanted, name) for name in ("train", "test", "step", "anchored")}


def _data(wanted: Wanted) -> DataRequest:
    from apps.feeds.interface import get_instrument

    names = list(wanted.instruments)
    if not 1 <= len(names) <= INSTRUMENTS_MAX or len(set(names)) < len(names):
        raise JobError(f"name 1 to {INSTRUMENTS_MAX} instruments, each once")
    beside = [*wanted.conversions.values(), *filter(None, [wanted.benchmark])]
    for name in [*names, *beside]:  # that they are known, and so no names of files
        get_instrument(name)
    parse_interval(wanted.interval)
    low, high = parse_time(wanted.begins, "from"), parse_time(wanted.ends, "to")
    if low is not None and high is not None and low >= high:
        raise JobError(f"from {wanted.begins} is not before to {wanted.ends}")
    return DataRequest(
        instruments=tuple(names), interval=wanted.interval, start=wanted.begins, end=wanted.ends, adjust=wanted.adjust,
        benchmark=wanted.benchmark, conversion=dict(wanted.conversions),
    )  # fmt: skip


def _written(values: str | Sequence[Value]) -> str:
    return values if isinstance(values, str) else ",".join(map(str, values))


def _check_rank(rank: str) -> None:
    from apps.backtest.sweep import check_rank  # slow to import

    check_rank(rank)


def _refuse_given(wanted: Wanted, *names: str) -> None:
    given = [name for name in names if getattr(wanted, name)]
    if given:
        raise JobError(f"a {wanted.kind} takes no {', '.join(given)}")
