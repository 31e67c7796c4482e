"""What was asked of a run, as it is typed, stored and asked again: strategy, parameters, options and data."""

import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from trading.bars import Bars
from trading.instruments import Instrument
from trading.intervals import parse_interval


class DataRequestError(ValueError):
    """The bars that were asked for cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The bars of a request by instrument, their instruments, and the benchmark's bars if one was asked for.

    `notes` says what was left out of files, and which instruments are not known.
    """

    bars: dict[str, Bars]
    instruments: dict[str, Instrument]
    benchmark: Bars | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """Which bars to trade: of `instruments`, in channel order, from `files` (one each) or, without files, as imported.

    `start` (included) and `end` (left out) are ISO times, UTC. `interval` is a name such as "1h". `benchmark` is an
    instrument's id or, for runs off files, a file. `spec` overrides fields of Instrument, as texts.
    """

    instruments: tuple[str, ...]
    files: tuple[str, ...] = ()
    interval: str = ""
    start: str = ""
    end: str = ""
    time_zone: str = "UTC"
    columns: str = ""
    adjust: str = "none"
    benchmark: str = ""
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
        """Read the bars. Raises DataRequestError where there are none, and the errors of feeds."""
        notes: list[str] = []
        instruments = {name: self._instrument(name, notes) for name in self.instruments}
        bars: dict[str, Bars] = {}
        for index, name in enumerate(self.instruments):
            bars[name] = self._file(self.files[index], name, notes) if self.files else self._imported(name)
        return Loaded(bars, instruments, self._benchmark(notes), tuple(notes))

    def _benchmark(self, notes: list[str]) -> Bars | None:
        if not self.benchmark:
            return None
        if Path(self.benchmark).is_file():
            return self._file(self.benchmark, self.benchmark, notes)
        if self.files:
            raise DataRequestError(f"--benchmark {self.benchmark}: no such file; a run off a file takes a file here too")
        return self._imported(self.benchmark)

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
            raise DataRequestError(f"{name}: no bars between --from and --to; the file has {span}")
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
            found = Instrument(id=name)
            if not self.spec:
                notes.append(f"{name} is not a known instrument: traded without tick size or lot step (set them with --spec)")
        return replace(found, **specified(self.spec)) if self.spec else found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """A backtest that can be asked for again: strategy by name, parameters and options that were given, data."""

    strategy: str
    data: DataRequest
    params: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the request as a JSON-able dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "RunRequest":
        """Return the request that `as_json` wrote."""
        data = {name: tuple(value) if isinstance(value, list) else value for name, value in stored["data"].items()}
        return cls(**{**stored, "data": DataRequest(**data)})


def between(bars: Bars, start: int | None, end: int | None) -> Bars:
    """Return the bars that open at or after `start` and before `end` (ns UTC; None: no bound), as views."""
    first = 0 if start is None else int(np.searchsorted(bars.time, start))
    last = len(bars) if end is None else int(np.searchsorted(bars.time, end))
    return rows(bars, first, max(first, last))


def rows(bars: Bars, first: int, last: int) -> Bars:
    """Return bars `first` to `last` (left out), as views."""
    columns = {each.name: getattr(bars, each.name) for each in fields(Bars)}
    return replace(bars, **{name: each[first:last] for name, each in columns.items() if isinstance(each, np.ndarray)})


def specified(spec: dict[str, str]) -> dict[str, Any]:
    """Return typed fields of Instrument from texts such as {"lot_step": "1"}. Raises DataRequestError."""
    known = {each.name: type(each.default) for each in fields(Instrument) if each.name != "id"}
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
