"""The port of live market data: one suite that every adapter passes."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from apps.feeds.adapters.memory import MemoryAdapter
from apps.feeds.adapters.port import Adapter, Given
from apps.feeds.adapters.replay import Pace, Past, ReplayAdapter
from apps.feeds.adapters.tail import TailAdapter
from apps.feeds.records import Kind, Records
from banyan.clock import VirtualClock
from trading.instruments import Instrument
from trading.intervals import SECOND

NAMES = ("TEST:A", "TEST:B")
BEGIN = int(np.datetime64("2024-01-02T10:00", "ns").astype(np.int64))
NOW = BEGIN + 1_000 * SECOND


def ticks(seconds: Sequence[float]) -> Records:
    time = BEGIN + (np.array(seconds) * SECOND).astype(np.int64)
    bid = 1.0 + np.array(seconds) / 1e3
    nan = np.full(bid.size, np.nan)
    return Records(Kind.TICKS, time, np.array([bid, bid + 0.001, nan, nan]), np.arange(bid.size) + 1)


class Rig:
    """A source that can be written to, and its adapter. `adapter` is made once everything written so far is there."""

    adapter: Adapter

    def write(self, name: str, seconds: Sequence[float]) -> None:
        raise NotImplementedError

    def read(self, count: int) -> dict[str, list[tuple[int, float]]]:
        """Read until `count` records were given; return time and bid of each."""
        found: dict[str, list[tuple[int, float]]] = {name: [] for name in NAMES}
        for _ in range(10_000):
            if sum(len(each) for each in found.values()) >= count:
                return found
            reading = self.adapter.read(0.01)
            for given in reading.given if reading is not None else ():
                assert given.interval_ns == 0
                assert {"bid", "ask"} <= set(given.columns)
                rows = zip(given.records.time.tolist(), given.records.column("bid").tolist(), strict=True)
                found[given.instrument] += rows
        raise AssertionError(f"{count} records were wanted, these came: {found}")


class Memory(Rig):
    def __init__(self, _: Path) -> None:
        self.adapter = MemoryAdapter(VirtualClock(NOW))

    def write(self, name: str, seconds: Sequence[float]) -> None:
        self.adapter.give(Given(name, 0, ticks(seconds), ("bid", "ask")))


class Csv(Rig):
    def __init__(self, folder: Path) -> None:
        self.paths = {name: folder / f"{name[-1]}.csv" for name in NAMES}
        self.adapter = TailAdapter({name: (Instrument(id=name), path) for name, path in self.paths.items()})

    def write(self, name: str, seconds: Sequence[float]) -> None:
        records = ticks(seconds)
        rows = zip(records.time.tolist(), *records.values[:2].tolist(), strict=True)
        header = "" if self.paths[name].exists() else "time,bid,ask\n"
        with self.paths[name].open("a") as file:
            file.write(header + "".join(f"{time},{bid!r},{ask!r}\n" for time, bid, ask in rows))


class Parquet(Rig):
    def __init__(self, folder: Path) -> None:
        self.seconds: dict[str, list[float]] = {name: [] for name in NAMES}
        self.paths = {name: folder / f"{name[-1]}.parquet" for name in NAMES}
        self.adapter = TailAdapter({name: (Instrument(id=name), path) for name, path in self.paths.items()})

    def write(self, name: str, seconds: Sequence[float]) -> None:
        self.seconds[name] += seconds
        records = ticks(self.seconds[name])
        columns = {
            "time": pa.array(records.time, pa.timestamp("ns", "UTC")),
            "bid": records.values[0],
            "ask": records.values[1],
        }
        aside = self.paths[name].with_suffix(".new")
        parquet.write_table(pa.table(columns), aside)
        aside.replace(self.paths[name])


class Replay(Rig):
    pace = Pace()

    def __init__(self, _: Path) -> None:
        self.stored: dict[str, list[float]] = {}
        self.adapter = ReplayAdapter(self.load, VirtualClock(NOW), self.pace)

    def write(self, name: str, seconds: Sequence[float]) -> None:
        self.stored[name] = [*self.stored.get(name, []), *seconds]

    def load(self, after_ns: int) -> dict[str, Past]:
        found = {}
        for name, seconds in self.stored.items():
            records = ticks(seconds)
            records = records.select(records.time >= after_ns)
            found[name] = Past(Kind.TICKS, 0, records.time, records.values)
        return found


class LockStep(Replay):
    pace = Pace(is_ready=lambda: True, step_ns=2 * SECOND)


GROWING = (Memory, Csv, Parquet)
ENDING = (Replay, LockStep)  # their past is what is stored when they are opened


@pytest.fixture(params=GROWING + ENDING, ids=lambda kind: kind.__name__)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = request.param(tmp_path)
    yield made
    made.adapter.close()


@pytest.fixture(params=GROWING, ids=lambda kind: kind.__name__)
def growing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    made = request.param(tmp_path)
    yield made
    made.adapter.close()


def expected(seconds: Sequence[float]) -> list[tuple[int, float]]:
    records = ticks(seconds)
    return list(zip(records.time.tolist(), records.column("bid").tolist(), strict=True))


def test_everything_is_given_once_and_in_order(rig):
    first, second = [0.0, 1.0, 1.0, 2.5], [0.5, 3.0]
    rig.write(NAMES[0], first)
    rig.write(NAMES[1], second)
    rig.adapter.open(0)
    assert rig.read(6) == {NAMES[0]: expected(first), NAMES[1]: expected(second)}


def test_what_comes_later_is_given_later(growing):
    growing.write(NAMES[0], [0.0, 1.0])
    growing.adapter.open(0)
    growing.read(2)
    growing.write(NAMES[0], [2.0])
    growing.write(NAMES[1], [2.0, 3.0])
    assert growing.read(3) == {NAMES[0]: expected([2.0]), NAMES[1]: expected([2.0, 3.0])}


def test_nothing_before_the_asked_time_is_given_and_nothing_after_it_is_missing(rig):
    rig.write(NAMES[0], [0.0, 1.0, 2.0, 3.0])
    after_ns = BEGIN + 2 * SECOND
    assert rig.adapter.open(after_ns) == after_ns
    assert rig.read(2)[NAMES[0]] == expected([2.0, 3.0])


def test_opened_again_it_gives_again_what_it_is_asked_for(rig):
    rig.write(NAMES[0], [0.0, 1.0, 2.0])
    rig.adapter.open(0)
    assert rig.read(3)[NAMES[0]] == expected([0.0, 1.0, 2.0])
    rig.adapter.close()
    rig.adapter.open(BEGIN + SECOND)
    assert rig.read(2)[NAMES[0]] == expected([1.0, 2.0])


def test_after_it_was_closed_it_gives_nothing(rig):
    rig.write(NAMES[0], [0.0])
    rig.adapter.open(0)
    rig.adapter.close()
    assert rig.adapter.read(0.01) is None


def test_where_nothing_comes_it_returns_without_anything(growing):
    growing.write(NAMES[0], [0.0, 1.0])
    growing.adapter.open(0)
    growing.read(2)
    readings = [growing.adapter.read(0.001) for _ in range(5)]
    assert [reading.given for reading in readings if reading] == [()] * 5
    assert readings[-1].is_current


def test_a_read_that_waits_ends_when_it_is_closed(growing):
    growing.write(NAMES[0], [0.0, 1.0])
    growing.adapter.open(0)
    growing.read(2)
    found = []
    reader = threading.Thread(target=lambda: found.append(growing.adapter.read(3_600.0)))
    reader.start()
    growing.adapter.close()
    reader.join()
    assert found == [None]


@pytest.mark.parametrize("kind", ENDING)
def test_a_replay_ends_with_its_last_record_and_says_before_that_it_is_not_now(kind, tmp_path):
    rig = kind(tmp_path)
    rig.write(NAMES[0], [0.0, 1.0, 5.0])
    rig.adapter.open(0)
    readings = []
    while (reading := rig.adapter.read(0.0)) is not None:
        readings.append(reading)
    assert not any(reading.is_current for reading in readings)
    assert sum(len(given.records) for reading in readings for given in reading.given) == 3


def test_lock_step_gives_one_step_for_each_time_that_all_are_ready(tmp_path):
    is_ready = False
    rig = Replay(tmp_path)
    rig.write(NAMES[0], [0.0, 1.0, 2.0])
    rig.write(NAMES[1], [1.0])
    rig.adapter = ReplayAdapter(rig.load, VirtualClock(NOW), Pace(is_ready=lambda: is_ready))
    rig.adapter.open(0)
    assert rig.adapter.read(0.0).given == ()
    is_ready = True
    assert [[each.instrument for each in rig.adapter.read(0.0).given] for _ in range(3)] == [
        [NAMES[0]], [*NAMES], [NAMES[0]]
    ]  # fmt: skip
    assert rig.adapter.read(0.0) is None


def test_at_a_speed_records_come_in_their_turn_at_the_times_of_now(tmp_path):
    clock = VirtualClock(NOW)
    rig = Replay(tmp_path)
    rig.write(NAMES[0], [0.0, 10.0, 20.0])
    rig.adapter = ReplayAdapter(rig.load, clock, Pace(speed=10.0))
    rig.adapter.open(0)
    first = rig.adapter.read(0.0)
    assert (first.given[0].records.time.tolist(), first.is_current) == ([NOW], True)
    assert rig.adapter.read(0.0).given == ()
    clock.move_to(NOW + 1 * SECOND)
    assert rig.adapter.read(0.0).given[0].records.time.tolist() == [NOW + SECOND]


def test_bars_are_replayed_when_they_close(tmp_path):
    minute, hour = 60 * SECOND, 3_600 * SECOND
    values = np.ones((5, 2))
    past = {
        "TEST:A": Past(Kind.BARS, hour, BEGIN + np.arange(2) * hour, values),
        "TEST:B": Past(Kind.BARS, minute, BEGIN + np.arange(2) * minute, values),
    }
    adapter = ReplayAdapter(lambda _: past, VirtualClock(NOW), Pace(is_ready=lambda: True))
    adapter.open(0)
    order = [[each.instrument for each in adapter.read(0.0).given] for _ in range(4)]
    assert order == [["TEST:B"], ["TEST:B"], ["TEST:A"], ["TEST:A"]]
