"""Ticks into bars while they come: the same bars however they are cut, and those of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.feeds.building import BarBuilder, BuiltBar
from apps.feeds.catalogue import shipped_instruments
from apps.feeds.records import Kind
from apps.feeds.resampling import resample, tick_columns
from banyan.messages import TimerDue
from trading.instruments import Instrument
from trading.intervals import DAY, HOUR, MILLISECOND, MINUTE, SECOND

ANY = Instrument(id="TEST:ANY")
EURUSD = shipped_instruments()["OANDA:EURUSD"]
SPY = shipped_instruments()["NYSEARCA:SPY"]
BEGIN = int(np.datetime64("2024-03-08T14:00", "ns").astype(np.int64))  # the clock in New York changes that weekend
QUOTES, TRADES = "quotes", "trades"


class Desk:
    """A builder of one instrument that is given ticks and timers, and the newest revision of each of its bars."""

    def __init__(self, instrument: Instrument, intervals: list[int], **options) -> None:
        self.builder = BarBuilder({instrument.id: instrument}, intervals, **options)
        self.instrument = instrument
        self.told: list[BuiltBar] = []
        self.late = 0

    def take(self, time: np.ndarray, columns: np.ndarray, now_ns: int = 0) -> list[BuiltBar]:
        changed, late = self.builder.take(self.instrument.id, time, columns, now_ns)
        self.told += changed
        self.late += late
        return changed

    def tick(self, at_ns: int, price: float = 1.0, now_ns: int = 0) -> list[BuiltBar]:
        values = np.array([price, price, price, price, 1.0]).reshape(5, 1)
        return self.take(np.array([at_ns]), values, now_ns)

    def pass_time(self, now_ns: int) -> list[BuiltBar]:
        """Let every timer come due that is due by then."""
        closed = []
        while (timer := self.builder.timer()) is not None and timer.due_ns <= now_ns:
            closed += self.builder.close(TimerDue(name=timer.name, due_ns=timer.due_ns))
        self.told += closed
        return closed

    def bars(self, interval: int) -> dict[int, list[float]]:
        return {bar.open_ns: bar.values.tolist() for bar in self.told if bar.interval_ns == interval}

    def revisions(self) -> list[int]:
        return [bar.revision for bar in self.told]


def whole(instrument: Instrument, kind: str, time: np.ndarray, values: np.ndarray, interval: int) -> dict:
    order = np.argsort(time, kind="stable")
    _, opens, columns = resample(Kind.TICKS, time[order], values[:, order], 0, interval, instrument)
    return dict(zip(opens.tolist(), columns.T.tolist(), strict=True))


def some_ticks(rng: np.random.Generator, kind: str, count: int, spread_ns: int) -> tuple[np.ndarray, np.ndarray]:
    time = BEGIN + np.sort(rng.integers(0, spread_ns, count))
    price = rng.integers(1_000, 1_100, count).astype(float)
    nan = np.full(count, np.nan)
    if kind == QUOTES:
        return time, np.array([price, price + rng.integers(0, 5, count), nan, nan])
    return time, np.array([nan, nan, price, rng.integers(1, 10**12, count).astype(float)])


def cuts(rng: np.random.Generator, count: int) -> list[slice]:
    ends = [*sorted(rng.integers(0, count + 1, rng.integers(0, 8)).tolist()), count]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def same(found: dict, wanted: dict) -> None:
    assert found.keys() == wanted.keys()
    for open_ns, values in wanted.items():
        np.testing.assert_array_equal(found[open_ns], values, err_msg=str(open_ns))


@given(
    seed=st.integers(0, 2**32),
    kind=st.sampled_from([QUOTES, TRADES]),
    instrument=st.sampled_from([ANY, EURUSD, SPY]),
    intervals=st.lists(
        st.sampled_from([7 * SECOND, MINUTE, 90 * MINUTE, 4 * HOUR, DAY, 7 * DAY]), min_size=1, unique=True
    ),
    days=st.sampled_from([0.01, 1, 9]),
)  # fmt: skip
def test_any_split_of_ticks_that_come_in_order_gives_the_bars_of_the_whole_once(
    seed, kind, instrument, intervals, days
):
    rng = np.random.default_rng(seed)
    time, values = some_ticks(rng, kind, int(rng.integers(1, 60)), int(days * DAY))
    desk = Desk(instrument, intervals)
    for part in cuts(rng, time.size):
        _, rows, columns = tick_columns(time[part], values[:, part], is_quotes=kind == QUOTES)
        if rows.size:
            desk.pass_time(int(rows[0]))
            desk.take(rows, columns, int(rows[0]))
    desk.pass_time(BEGIN + 30 * DAY)
    for interval in intervals:
        same(desk.bars(interval), whole(instrument, kind, time, values, interval))
    assert set(desk.revisions()) <= {0}
    assert desk.late == 0


@given(seed=st.integers(0, 2**32), kind=st.sampled_from([QUOTES, TRADES]))
def test_ticks_in_any_order_give_the_bars_of_the_whole_as_the_newest_revision(seed, kind):
    rng = np.random.default_rng(seed)
    time, values = some_ticks(rng, kind, int(rng.integers(1, 80)), 100 * SECOND)
    time = np.unique(time)  # of ticks of one time the order decides
    values = values[:, : time.size]
    came = time + rng.integers(0, 20 * SECOND, time.size)
    order = np.argsort(came)
    desk = Desk(ANY, [10 * SECOND], wait_ns=SECOND, lateness_ns=HOUR)
    for part in cuts(rng, time.size):
        rows = order[part]
        if rows.size:
            now_ns = int(came[rows[-1]])
            desk.pass_time(now_ns)
            _, times, columns = tick_columns(time[rows], values[:, rows], is_quotes=kind == QUOTES)
            desk.take(times, columns, now_ns)
    desk.pass_time(BEGIN + HOUR)
    same(desk.bars(10 * SECOND), whole(ANY, kind, time, values, 10 * SECOND))
    assert desk.late == 0


def test_a_bar_closes_by_its_timer_and_not_with_the_next_tick():
    desk = Desk(ANY, [MINUTE], wait_ns=250 * MILLISECOND)
    desk.tick(BEGIN + 30 * SECOND)
    desk.tick(BEGIN + MINUTE, 2.0)
    assert desk.pass_time(BEGIN + MINUTE + 249 * MILLISECOND) == []
    closed = desk.pass_time(BEGIN + MINUTE + 250 * MILLISECOND)
    assert [(bar.closed_at_ns, bar.values[3]) for bar in closed] == [(BEGIN + MINUTE, 1.0)]
    assert desk.pass_time(BEGIN + HOUR)[0].values.tolist() == [2.0, 2.0, 2.0, 2.0, 1.0]
    assert desk.builder.timer() is None


def test_a_late_tick_makes_a_revision_and_one_that_is_too_late_is_counted():
    desk = Desk(ANY, [MINUTE], lateness_ns=30 * SECOND)
    desk.tick(BEGIN + 30 * SECOND)
    desk.pass_time(BEGIN + MINUTE)
    changed = desk.tick(BEGIN + 40 * SECOND, 3.0, now_ns=BEGIN + 80 * SECOND)
    assert [(bar.revision, bar.values.tolist()) for bar in changed] == [(1, [1.0, 3.0, 1.0, 3.0, 2.0])]
    assert [bar.revision for bar in desk.tick(BEGIN, 2.0, now_ns=BEGIN + 90 * SECOND)] == [2]
    assert desk.tick(BEGIN + 41 * SECOND, 9.0, now_ns=BEGIN + 90 * SECOND + 1) == []
    assert desk.late == 1


def test_a_tick_of_a_period_that_had_none_is_a_revision_where_a_later_bar_has_closed():
    desk = Desk(ANY, [MINUTE])
    desk.tick(BEGIN + 90 * SECOND)
    desk.pass_time(BEGIN + 2 * MINUTE)
    assert [bar.revision for bar in desk.tick(BEGIN, now_ns=BEGIN + 100 * SECOND)] == [1]


def test_a_burst_after_a_long_silence_makes_bars_however_late():
    desk = Desk(ANY, [MINUTE], lateness_ns=0)
    desk.tick(BEGIN)
    desk.pass_time(BEGIN + MINUTE)
    now_ns = BEGIN + HOUR
    assert desk.tick(BEGIN + 5 * MINUTE, now_ns=now_ns) == []
    assert [bar.open_ns for bar in desk.pass_time(now_ns)] == [BEGIN + 5 * MINUTE]
    assert desk.late == 0


def test_what_is_given_again_after_a_restart_makes_no_bar_twice():
    first = Desk(ANY, [MINUTE])
    times = BEGIN + np.arange(10) * 20 * SECOND
    columns = np.ones((5, 10))
    first.take(times, columns)
    first.pass_time(int(times[-1]))
    again = Desk(ANY, [MINUTE], known={(ANY.id, MINUTE): first.told[-1].closed_at_ns})
    again.take(times, columns)
    again.pass_time(BEGIN + HOUR)
    assert [bar.open_ns for bar in [*first.told, *again.told]] == [BEGIN + minute * MINUTE for minute in range(4)]


def test_a_source_that_is_opened_again_is_asked_for_what_was_not_closed_and_bars_seen_in_part_are_not_made():
    desk = Desk(ANY, [MINUTE])
    desk.tick(BEGIN)
    desk.pass_time(BEGIN + MINUTE)
    desk.tick(BEGIN + 70 * SECOND)
    assert desk.builder.known_until_ns() == BEGIN + MINUTE
    desk.builder.begin(BEGIN + 100 * SECOND)
    desk.tick(BEGIN + 110 * SECOND)
    desk.tick(BEGIN + 130 * SECOND)
    assert [bar.open_ns for bar in desk.pass_time(BEGIN + HOUR)] == [BEGIN + 2 * MINUTE]


@pytest.mark.parametrize("seed", range(20))
def test_a_source_that_gives_its_past_again_loses_nothing_and_adds_nothing(seed):
    rng = np.random.default_rng(seed)
    time, values = some_ticks(rng, TRADES, 200, 600 * SECOND)
    desk = Desk(ANY, [10 * SECOND, MINUTE])
    at = 0
    while at < time.size:
        stop = min(time.size, at + int(rng.integers(1, 40)))
        _, rows, columns = tick_columns(time[at:stop], values[:, at:stop], is_quotes=False)
        desk.pass_time(int(rows[0]))
        desk.take(rows, columns, int(rows[0]))
        at = stop
        if rng.random() < 0.2:
            after_ns = desk.builder.known_until_ns()
            desk.builder.begin(after_ns)
            at = int(np.searchsorted(time, after_ns))
    desk.pass_time(BEGIN + DAY)
    for interval in (10 * SECOND, MINUTE):
        same(desk.bars(interval), whole(ANY, TRADES, time, values, interval))
    assert set(desk.revisions()) == {0}, f"seed {seed}"
