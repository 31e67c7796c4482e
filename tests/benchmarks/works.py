"""The works that are measured, at their full and their quick size, and what ours must be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tests.benchmarks import data
from tests.benchmarks.jobs import Case

MONEY = {"cash": 100_000.0, "fee_bps": 5.0}
CROSSING = MONEY | {"fast": 20, "slow": 50}
MOMENTUM = MONEY | {"lookback": 60, "every": 5, "top": 50, "invest": 0.998}
OURS, C = "banyan", "plain C"
PEERS = ("vectorbt kernels", "vectorbt", "raptorbt", "backtesting", "hftbacktest")
EVENT_LOOP = "W4a"
FASTEST_EVENTS = ("sma_cross", "ema_cross")


class Must(NamedTuple):
    """A bound on a row's median: seconds (at most), events a second (at least), multiples of plain C or of
    what it is held against (at most)."""

    of: Literal["seconds", "per_second", "times_c", "ratio"]
    bound: float
    row: str = OURS

    def __str__(self) -> str:
        match self.of:
            case "seconds":
                return f"at most {self.bound:g} s"
            case "per_second":
                return f"at least {self.bound:,.0f} a second"
            case "times_c":
                return f"at most {self.bound:g} x plain C"
            case "ratio":
                return f"at most {self.bound:g} x"


@dataclass(frozen=True)
class Work:
    """One work: `events` is how many bars or events it goes through, 0 where a rate says nothing."""

    name: str
    title: str
    case: Case
    engines: tuple[str, ...]
    must: tuple[Must, ...] = ()
    events: int = 0

    @property
    def is_rate(self) -> bool:
        """Whether events a second are shown rather than seconds."""
        return self.events > 0


def works(folder: Path, *, quick: bool, strategies: tuple[str, ...]) -> list[Work]:
    """Return the works, their arrays written under `folder`; `strategies` are those measured in the event loop."""
    return [
        *_tables(folder, quick=quick),
        *(_event_loop(folder, strategy, quick=quick) for strategy in strategies),
        _class_form(folder, quick=quick),
    ]


def in_event_loop(engine: str, strategy: str) -> str:
    """Return the name of the row of `engine` running `strategy` through the event loop."""
    return f"{engine}: {strategy}"


def crossing(folder: Path, *, quick: bool) -> Case:
    """Return the case of W1."""
    return Case("W1", data.write_minutes(folder, 20_000 if quick else 1_000_000), CROSSING)


def sweep(folder: Path, *, quick: bool) -> Case:
    """Return the case of W2."""
    grid = (range(5, 25, 5), range(30, 221, 50)) if quick else (range(5, 25), range(30, 221, 10))
    return Case(
        "W2",
        data.write_minutes(folder, 10_000 if quick else 100_000),
        MONEY | {"fast": list(grid[0]), "slow": list(grid[1]), "bars_per_day": 1440, "workers": 2},
    )


def _tables(folder: Path, *, quick: bool) -> list[Work]:
    symbols, days = (80, 520) if quick else (500, 2_520)
    grid = sweep(folder, quick=quick)
    pairs = len(grid["fast"]) * len(grid["slow"])
    size: Callable[[Case], str] = lambda case: case.arrays.name.split("-")[1]  # noqa: E731
    first = crossing(folder, quick=quick)
    return [
        Work(
            "W1",
            f"SMA 20/50 on {int(size(first)):,} minute bars, next open, 5 bps",
            first,
            (OURS, C, *PEERS[:4]),
            (Must("seconds", 0.012), Must("times_c", 3)),
        ),
        Work(
            "W2",
            f"the same on {int(size(grid)):,} bars x {pairs} pairs, 2 cores",
            grid,
            (OURS, C, *PEERS[:3]),
            (Must("seconds", 0.10),),
        ),
        Work(
            "W3",
            f"{symbols} symbols x {days:,} days, weekly momentum rank",
            Case("W3", data.write_days(folder, symbols, days), MOMENTUM | ({"top": 10} if quick else {})),
            (OURS, C, *PEERS[:3]),
            (Must("seconds", 0.03),),
        ),
    ]


def _event_loop(folder: Path, strategy: str, *, quick: bool) -> Work:
    minutes = 20_000 if quick else 1_000_000
    symbols, days = (80, 520) if quick else (500, 2_520)
    channels = {"momentum_rank": symbols, "pairs_zscore": 2}.get(strategy, 1)
    many = channels > 2
    events = symbols * days if many else channels * minutes
    arrays = data.write_days(folder, symbols, days) if many else data.write_minutes(folder, minutes)
    numbers: dict[str, Any] = MONEY | {"strategy": strategy, "fast": 20, "slow": 50}
    return Work(
        f"{EVENT_LOOP} {strategy}",
        strategy,
        Case("W4a", arrays, numbers),
        (OURS, "hftbacktest") if strategy == "sma_cross" else (OURS,),
        (Must("per_second", 60e6, in_event_loop(OURS, strategy)),) if strategy in FASTEST_EVENTS else (),
        events,
    )


def _class_form(folder: Path, *, quick: bool) -> Work:
    minutes = 10_000 if quick else 200_000
    return Work(
        "W4b",
        "SMA 20/50 as a plain class, events a second",
        Case("W4b", data.write_minutes(folder, minutes), CROSSING),
        (OURS, "raptorbt", "backtesting"),
        (Must("per_second", 500_000),),
        minutes,
    )
