"""What was asked of a run, as it is typed, stored and asked again: strategy, parameters, options and data."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from apps.backtest.result import Result
from trading.bars import Bars
from trading.instruments import Instrument
from trading.intervals import parse_interval

if TYPE_CHECKING:
    from apps.feeds.interface import Adjust


class DataRequestError(ValueError):
    """The bars cannot be asked for like this; the message says how to write it."""

    exit_code = 2  # of a command: wrong usage


class NoBarsError(LookupError):
    """There are no bars in the span that was asked for."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The bars of a request by instrument, their instruments, and the benchmark's bars if one was asked for.

    `conversion` has the bars of each foreign currency's price. `notes` says what was left out of files, and which
    instruments are not known.
    """

    bars: dict[str, Bars]
    instruments: dict[str, Instrument]
    benchmark: Bars | None = None
    conversion: dict[str, Bars] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def surroundings(self) -> dict[str, Any]:
        """Return what a run takes besides bars, as arguments of `run` and `sweep`."""
        return {
            "instruments": self.instruments, "benchmark": self.benchmark, "conversion": self.conversion or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """Which bars to trade: of `instruments`, in channel order, from `files` (one each) or, without files, as imported.

    `start` (included) and `end` (left out) are ISO times, UTC. `interval` is a name such as "1h". `benchmark` is an
    instrument's id or, for runs off files, a file. `conversion` names, for each currency, what its price in
    the account's currency is read from, as `benchmark` does. `spec` overrides fields of Instrument, as texts.
    """

    instruments: tuple[str, ...]
    files: tuple[str, ...] = ()
    interval: str = ""
    start: str = ""
    end: str = ""
    time_zone: str = "UTC"
    columns: str = ""
    adjust: "Adjust" = "all"
    benchmark: str = ""
    conversion: dict[str, str] = field(default_factory=dict)
    spec: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        low, high = parse_time(self.start, "--from"), parse_time(self.end, "--to")
        if low is not None and high is not None and low >= high:
            raise DataRequestError(f"--from {self.start} is not before --to {self.end}")
        specified(self.spec)

    @property
    def is_stored(self) -> bool:
        """Whether the bars come from the database."""
        return not self.files

    def load(self) -> Loaded:
        """Read the bars. Raises NoBarsError where there are none, and the errors of feeds."""
        notes: list[str] = []
        instruments = {name: self._instrument(name, notes) for name in self.instruments}
        bars: dict[str, Bars] = {}
        for index, name in enumerate(self.instruments):
            bars[name] = self._file(self.files[index], name, notes) if self.files else self._imported(name)
        benchmark = self._beside(self.benchmark, "--benchmark", notes) if self.benchmark else None
        conversion = {
            money: self._beside(name, f"--conversion {money}", notes) for money, name in self.conversion.items()
        }
        return Loaded(bars, instruments, benchmark, conversion, tuple(notes))

    def _beside(self, name: str, flag: str, notes: list[str]) -> Bars:
        """Read bars that are looked at and not traded: an imported instrument's, or a file's."""
        if Path(name).is_file():
            return self._file(name, name, notes)
        if self.files:
            raise DataRequestError(f"{flag}: no file {name}; a run off files takes a file here too")
        return self._imported(name)

    def _file(self, path: str, name: str, notes: list[str]) -> Bars:
        from apps.feeds.interface import read_bars_file

        columns = [each.strip() for each in self.columns.split(",")] if self.columns else None
        interval = parse_interval(self.interval) if self.interval else None
        bars, report = read_bars_file(Path(path), interval, self.time_zone, columns)
        if report.rejects:
            notes.append(report.summary())
        part = between(bars, parse_time(self.start), parse_time(self.end))
        if not len(part):
            span = f"{iso(bars.time[0])} to {iso(bars.time[-1])}"
            raise NoBarsError(f"{name}: no bars between --from and --to; the file has {span}")
        return part

    def _imported(self, name: str) -> Bars:
        from apps.feeds.interface import read_bars

        return read_bars(name, self.interval, parse_time(self.start), parse_time(self.end), adjust=self.adjust)

    def _instrument(self, name: str, notes: list[str]) -> Instrument:
        from apps.feeds.interface import InstrumentNotFound, get_instrument

        try:
            found = get_instrument(name, database=self.is_stored)
        except InstrumentNotFound:
            if self.is_stored:
                raise
            found = Instrument(id=name, currency="")
            if not self.spec:
                notes.append(
                    f"{name} is not a known instrument: traded in fractions and in the account's currency, without "
                    "tick size or lot step (set them with --spec)"
                )
        return replace(found, **specified(self.spec)) if self.spec else found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A backtest that can be asked for again: strategy by name, parameters and options that were given, data."""

    strategy: str
    data: DataRequest
    params: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def run(self, loaded: Loaded | None = None) -> Result:
        """Run the backtest, on bars that are `loaded` already or are read now. Raises the errors of the run."""
        from apps.backtest.interface import run

        ready = loaded or self.data.load()
        result = run(self.strategy, ready.bars, params=self.params, **ready.surroundings(), **self.options)
        manifest = {**result.manifest, "command": self.command()}
        return replace(result, manifest=manifest, notes=(*ready.notes, *result.notes))

    def command(self, name: str = "backtest", more: Iterable[str] = ()) -> str:
        """Return the command line that asks for this run; `more` is what another command than `backtest` takes."""
        return shlex.join(["manage.py", name, self.strategy, *self._flags(), *more])

    def _flags(self) -> Iterator[str]:
        data = self.data
        if data.files:
            yield from ("--csv", *(f"{name}={path}" for name, path in zip(data.instruments, data.files, strict=True)))
        else:
            yield from ("--instrument", *data.instruments)
        plain: dict[str, Any] = {
            "interval": data.interval,
            "from": data.start,
            "to": data.end,
            "columns": data.columns,
            "benchmark": data.benchmark,
        }
        plain["tz"] = "" if data.time_zone == "UTC" else data.time_zone
        plain["adjust"] = "" if data.files or data.adjust == "all" else data.adjust
        plain |= {name.replace("_", "-"): value for name, value in self.options.items()}
        for name, value in plain.items():
            if value != "":
                yield from (f"--{name}", f"{value:.15g}" if isinstance(value, float) else str(value))
        for flag, values in (("conversion", data.conversion), ("spec", data.spec), ("param", self.params)):
            for name, value in values.items():
                yield from (f"--{flag}", f"{name}={value}")

    def as_json(self) -> dict[str, Any]:
        """Return the request as a JSON-able dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "RunRequest":
        """Return the request that `as_json` wrote."""
        data: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored["data"].items()
        }
        return cls(**{**stored, "data": DataRequest(**data)})


def between(bars: Bars, start: int | None, end: int | None) -> Bars:
    """Return the bars that open at or after `start` and before `end` (ns UTC; None: no bound), as views."""
    first = 0 if start is None else int(np.searchsorted(bars.time, start))
    last = len(bars) if end is None else int(np.searchsorted(bars.time, end))
    return rows(bars, slice(first, max(first, last)))


def rows(bars: Bars, which: slice | NDArray[np.int64]) -> Bars:
    """Return the bars of a slice, as views, or those at the places of an array."""
    columns: dict[str, Any] = {each.name: getattr(bars, each.name) for each in fields(Bars)}
    cut: dict[str, Any] = {name: each[which] for name, each in columns.items() if isinstance(each, np.ndarray)}
    return replace(bars, **cut)


def specified(spec: dict[str, str]) -> dict[str, Any]:
    """Return typed fields of Instrument from texts such as {"lot_step": "1"}. Raises DataRequestError."""
    known: dict[str, Any] = {each.name: type(each.default) for each in fields(Instrument) if each.name != "id"}
    typed: dict[str, Any] = {}
    for name, text in spec.items():
        if name not in known:
            raise DataRequestError(f"--spec {name}={text}: an instrument has {', '.join(known)}")
        try:
            typed[name] = known[name](text)
        except ValueError:
            raise DataRequestError(f"--spec {name}={text}: write a number") from None
    return typed


_TIME = re.compile(r"\d{4}(-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2})?)?)?)?")


def parse_time(text: str, flag: str = "time") -> int | None:
    """Return ns UTC of an ISO time of any precision from the year on, None for "". Raises DataRequestError."""
    if not text:
        return None
    plain = text.strip().removesuffix("Z").removesuffix("+00:00")
    try:
        if not _TIME.fullmatch(plain):
            raise ValueError
        return int(np.datetime64(plain.replace(" ", "T"), "ns").astype(np.int64))
    except ValueError:
        raise DataRequestError(f"{flag} {text}: write a time in UTC as 2015, 2015-03-01 or 2015-03-01T12:00") from None


def iso(time: Any) -> str:
    """Return a time in ns UTC as "2015-03-01 12:00", without the clock where it is midnight."""
    minute = str(np.datetime64(int(time), "ns").astype("datetime64[m]")).replace("T", " ")
    return minute.removesuffix(" 00:00")
