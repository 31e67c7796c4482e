"""From what a source gives to what its feed is told: checked, in whole ticks, in bars. Pure: it is given times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.feeds.adapters.port import Given, Reading
from apps.feeds.building import LATENESS_NS, BarBuilder, BuiltBar
from apps.feeds.checks import MAX_JUMP_SIGMAS, check_values
from apps.feeds.contracts import BAR_COLUMNS, QuarantineRecords, QuoteTicked, ReceiveBars
from apps.feeds.jumps import JumpGuard
from apps.feeds.records import Kind, Reason, Records
from apps.feeds.resampling import tick_columns
from banyan.columns import ints
from banyan.messages import Message, TimerDue
from trading.instruments import Instrument
from trading.intervals import MILLISECOND, SECOND

LATE = "late"
OFF_TICK = "off-tick"
WAIT_NS = 250 * MILLISECOND
_AHEAD_NS = 5 * SECOND  # a record further in the future than this is wrong
_KEPT_EACH = 20  # quarantined records a second that are kept one by one; of more, how many there were

Ticks = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FeedSpec:
    """What a feed makes of its records: bars of `intervals` (ns) out of ticks; bars it takes as they are."""

    feed: str
    instruments: Mapping[str, Instrument]
    intervals: Sequence[int] = ()
    wait_ns: int = WAIT_NS
    lateness_ns: int = LATENESS_NS
    max_jump_sigmas: float = MAX_JUMP_SIGMAS


@dataclass(slots=True)
class Counts:
    """What a feed has had since it began."""

    records: int = 0
    bars: int = 0
    revisions: int = 0
    late: int = 0
    quarantined: int = 0


@dataclass(slots=True)
class _Refused:
    instrument: str
    reason: str
    record: str
    time_ns: int
    count: int


@dataclass(slots=True)
class _Instrument:
    terms: Instrument
    quotes: JumpGuard
    trades: JumpGuard
    is_quoted: bool | None = None


@dataclass(slots=True)
class FeedPipeline:
    """One feed. `known` says up to which close time the bars of an (instrument, interval) have been made already."""

    spec: FeedSpec
    known: dict[tuple[str, int], int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    now_ns: int = 0
    is_current: bool = False
    _builder: BarBuilder = field(init=False)
    _instruments: dict[str, _Instrument] = field(init=False)
    _quotes: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    _refused: list[_Refused] = field(default_factory=list)
    _told_ns: int = 0

    def __post_init__(self) -> None:
        """Prepare a builder, and a guard against jumps for each instrument."""
        spec = self.spec
        self.known = {key: closed_at_ns for key, closed_at_ns in self.known.items() if key[0] in spec.instruments}
        self._builder = BarBuilder(
            spec.instruments, spec.intervals, wait_ns=spec.wait_ns, lateness_ns=spec.lateness_ns, known=self.known
        )
        self._instruments = {
            name: _Instrument(terms, JumpGuard(spec.max_jump_sigmas), JumpGuard(spec.max_jump_sigmas))
            for name, terms in spec.instruments.items()
        }

    def begin(self, since_ns: int) -> None:
        """Go on with a source that was opened again, and from `since_ns` on misses nothing."""
        self.is_current = False
        self._builder.begin(since_ns)

    def known_until_ns(self) -> int:
        """Return the time from which on records are needed if the source is opened again."""
        if self.spec.intervals:
            return self._builder.known_until_ns()
        if {name for name, _ in self.known} != set(self.spec.instruments):
            return 0
        return min(closed_at_ns - interval_ns for (_, interval_ns), closed_at_ns in self.known.items())

    def take(self, reading: Reading, wall_ns: int) -> list[Message]:
        """Return what the feed is to be told after a reading. Times are ns since 1970 UTC."""
        bars: list[BuiltBar] = []
        if reading.is_current:
            self.now_ns = max(self.now_ns, wall_ns)
        for given in reading.given:
            bars += self._bars_of(given, wall_ns if reading.is_current else None)
        self.is_current = reading.is_current
        return [*self._messages(bars), *self.pass_time(wall_ns)]

    def pass_time(self, wall_ns: int) -> list[Message]:
        """Return what follows from the time alone: bars that close, and at most once a second what was refused."""
        if self.is_current:
            self.now_ns = max(self.now_ns, wall_ns)
        bars: list[BuiltBar] = []
        while (timer := self._builder.timer()) is not None and timer.due_ns <= self.now_ns:
            bars += self._builder.close(TimerDue(name=timer.name, due_ns=timer.due_ns))
        messages: list[Message] = list(self._messages(bars))
        if self._refused and wall_ns - self._told_ns >= SECOND:
            self._told_ns = wall_ns
            messages += self.refused()
        return messages

    def due_ns(self) -> int | None:
        """Return when time has to pass next, on the wall clock; None where only records move this feed's time."""
        timer = self._builder.timer() if self.is_current else None
        dues = [timer.due_ns] if timer is not None else []
        return min([*dues, *([self._told_ns + SECOND] if self._refused else [])], default=None)

    def refused(self) -> list[Message]:
        """Return what was refused since it was told last."""
        if not self._refused:
            return []
        rows, self._refused = self._refused, []
        return [
            QuarantineRecords(
                feed=self.spec.feed,
                instruments=[each.instrument for each in rows],
                reasons=[each.reason for each in rows],
                records=[each.record for each in rows],
                event_time_ns=ints([each.time_ns for each in rows]),
                counts=ints([each.count for each in rows]),
            )
        ]

    def quotes(self) -> QuoteTicked | None:
        """Return the newest quote of each instrument that has moved since this was asked last."""
        if not self._quotes:
            return None
        moved, self._quotes = self._quotes, {}
        bids, asks, times = zip(*moved.values(), strict=True)
        return QuoteTicked(
            feed=self.spec.feed, instruments=list(moved), bid_ticks=ints(bids), ask_ticks=ints(asks),
            event_time_ns=ints(times),
        )  # fmt: skip

    def _bars_of(self, given: Given, wall_ns: int | None) -> list[BuiltBar]:
        name = given.instrument
        records, rejects = check_values(given.records, given.columns)
        for reject in (*given.rejects, *rejects):
            text = f": {reject.text}" if reject.text else ""
            self._refuse(name, reject.reason.value, f"line {reject.line}: {reject.detail}{text}", reject.time or 0)
        self.counts.records += len(given.records)
        closes = records.time + given.interval_ns
        if wall_ns is not None:
            is_ahead = closes > wall_ns + _AHEAD_NS
            records, closes = self._drop(name, records, is_ahead, Reason.BAD_TIME.value), closes[~is_ahead]
        if not len(records):
            return []
        if wall_ns is None:
            self.now_ns = max(self.now_ns, int(closes.max()))
        if records.kind is Kind.TICKS:
            return self._bars_of_ticks(name, records, given.columns)
        return list(self._bars_as_they_are(name, records, given.interval_ns))

    def _bars_of_ticks(self, name: str, records: Records, columns: Sequence[str]) -> list[BuiltBar]:
        known = self._instruments[name]
        if known.is_quoted is None:
            known.is_quoted = {"bid", "ask"} <= set(columns)
        prices = 0.5 * (records.values[0] + records.values[1]) if known.is_quoted else records.values[2]
        wanted = np.isfinite(prices)
        records, prices = records.select(wanted), prices[wanted]
        guard = known.quotes if known.is_quoted else known.trades
        records = self._drop(name, records, guard.check(prices), Reason.JUMP.value)
        values, is_off = in_ticks(records.values, [0, 1, 2], [3], known.terms.tick_size)
        records = self._drop(name, records, is_off, OFF_TICK)
        if not len(records):
            return []
        values = values[:, ~is_off]
        _, time, bars = tick_columns(records.time, values, is_quotes=known.is_quoted)
        self._quote(name, int(np.argmax(records.time)), records, values)
        if not self.spec.intervals:
            return []
        changed, late = self._builder.take(name, time, bars, self.now_ns)
        if late:
            self.counts.late += late
            last = int(time.max())
            self._refuse(name, LATE, f"{late} ticks for bars that are final, the last of {last}", last, late)
        return changed

    def _quote(self, name: str, row: int, records: Records, values: Ticks) -> None:
        is_quoted = self._instruments[name].is_quoted
        bid, ask = (0, 1) if is_quoted else (2, 2)
        time_ns = int(records.time[row])
        if time_ns >= self._quotes.get(name, (0, 0, 0))[2]:
            self._quotes[name] = int(values[bid, row]), int(values[ask, row]), time_ns

    def _bars_as_they_are(self, name: str, records: Records, interval_ns: int) -> Iterator[BuiltBar]:
        width = records.values.shape[0] - 1
        values, is_off = in_ticks(records.values, list(range(width)), [width], self._instruments[name].terms.tick_size)
        records, values = self._drop(name, records, is_off, OFF_TICK), values[:, ~is_off]
        for row, open_ns in enumerate(records.time.tolist()):
            if open_ns + interval_ns > self.known.get((name, interval_ns), 0):
                self.known[name, interval_ns] = open_ns + interval_ns
                yield BuiltBar(name, interval_ns, open_ns, values[:, row], 0)

    def _drop(self, name: str, records: Records, is_wrong: NDArray[np.bool_], reason: str) -> Records:
        """Return the records that are not wrong; the others are refused."""
        if not is_wrong.any():
            return records
        for row in np.flatnonzero(is_wrong).tolist():
            values = ", ".join(f"{value:.12g}" for value in records.values[:, row].tolist())
            self._refuse(name, reason, f"line {int(records.line[row])}: {values}", int(records.time[row]))
        return records.select(~is_wrong)

    def _refuse(self, name: str, reason: str, record: str, time_ns: int, count: int = 1) -> None:
        self.counts.quarantined += count if reason != LATE else 0
        for each in self._refused[_KEPT_EACH:] if reason != LATE else self._refused:
            if (each.instrument, each.reason) == (name, reason):
                each.count += count
                return
        self._refused.append(_Refused(name, reason, record, time_ns, count))

    def _messages(self, bars: list[BuiltBar]) -> Iterator[ReceiveBars]:
        """Yield one message for all bars that closed at the same time, oldest first; revisions are apart."""
        groups: dict[tuple[int, int, bool], list[BuiltBar]] = {}
        for bar in bars:
            groups.setdefault((bar.closed_at_ns, bar.interval_ns, bar.revision > 0), []).append(bar)
        for (closed_at_ns, interval_ns, is_revision), group in sorted(groups.items()):
            newest = {bar.instrument: bar for bar in group}
            self.counts.revisions += is_revision * len(newest)
            self.counts.bars += (not is_revision) * len(newest)
            yield _received(self.spec.feed, closed_at_ns, interval_ns, list(newest.values()))


def in_ticks(
    values: Ticks, prices: Sequence[int], volumes: Sequence[int], tick_size: float
) -> tuple[Ticks, NDArray[np.bool_]]:
    """Return rows of prices in whole ticks and of volumes in whole millionths (nan stays nan), float64[rows, n].

    The mask tells which columns have a price that is further than a thousandth of a tick from a whole one.
    """
    found = np.empty_like(values)
    ticks = values[list(prices)] / tick_size
    found[list(prices)] = np.rint(ticks)
    found[list(volumes)] = np.rint(values[list(volumes)] * 1e6)
    is_off: NDArray[np.bool_] = np.any(np.abs(ticks - found[list(prices)]) > 1e-3, axis=0)
    return found, is_off


def _received(feed: str, closed_at_ns: int, interval_ns: int, bars: Sequence[BuiltBar]) -> ReceiveBars:
    def rows(bar: BuiltBar) -> NDArray[np.float64]:
        sides = bar.values if bar.values.size == 9 else np.concatenate([bar.values[:4], bar.values])
        return np.where(np.isnan(sides), -1.0, sides)  # only a volume is not known

    table = np.array([rows(bar) for bar in bars]).T.astype(np.int64)
    columns: dict[str, Any] = dict(zip(BAR_COLUMNS, table, strict=True))
    revision = ints([bar.revision for bar in bars])
    return ReceiveBars(
        feed=feed, interval_ns=interval_ns, closed_at_ns=closed_at_ns, instruments=[bar.instrument for bar in bars],
        revision=revision if revision.any() else ints(), **columns,
    )  # fmt: skip
