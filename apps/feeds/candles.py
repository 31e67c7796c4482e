"""Windows of bars for whoever draws them: so many before a time, from the feed's log and from what is stored."""

from typing import Any, NamedTuple

import numpy as np

from apps.feeds.history import Channel, bars_before
from apps.feeds.interface import Candles, DrawnInterval, NoData, feed_of
from apps.feeds.models import Feed, Series
from apps.feeds.reading import find_rows
from apps.feeds.records import Kind, to_bars
from apps.feeds.resampling import resample
from apps.feeds.rows import ALIAS
from apps.feeds.series import find_instrument
from trading.bars import Bars
from trading.intervals import DAY, HOUR, MINUTE

_MADE = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY, 7 * DAY)
"""Intervals that bars of a finer one are made into while they are read."""
_MOST = 5_000
_CLOSED_TIMES = 3
_COLUMNS = 6


class _Stored(NamedTuple):
    """A stored interval of an instrument, and the open times of its first and last bar."""

    interval_ns: int
    first_ns: int
    last_ns: int


def intervals_of(instrument_id: str) -> list[DrawnInterval]:
    """Return the intervals that an instrument has bars of, finest first. Raises InstrumentNotFound."""
    instrument = find_instrument(instrument_id)
    stored = _stored(instrument.id)
    live = _live(instrument.id)
    made = {each for each in _MADE for of in stored if of.interval_ns < each and each % of.interval_ns == 0}
    return [
        DrawnInterval(each, each in live, any(of.interval_ns <= each for of in stored))
        for each in sorted(live | made | {of.interval_ns for of in stored})
    ]


def candles(instrument_id: str, interval_ns: int, before_ns: int, count: int) -> Candles:
    """Return the last `count` bars that opened before a time; see `apps.feeds.interface.candles`."""
    instrument = find_instrument(instrument_id)
    count = max(1, min(count, _MOST))
    parts: list[Candles] = []
    if interval_ns in _live(instrument.id):
        parts.append(_closed(instrument.id, interval_ns, before_ns, count, instrument.tick_size))
    have = parts[0].time_ns.size if parts else 0
    if have < count:
        earliest = int(parts[0].time_ns[0]) if have else before_ns
        parts.insert(0, _from_store(instrument.id, interval_ns, earliest, count - have))
    if len(parts) == 1:
        return parts[0]
    first, second = parts
    return _of_columns(
        [np.concatenate([first[at], second[at]]) for at in range(_COLUMNS)],
        has_earlier=first.has_earlier or second.has_earlier,
    )


def _live(instrument: str) -> set[int]:
    """Return the intervals of which the instrument's live feed closes bars."""
    found = Feed.objects.using(ALIAS).filter(id=feed_of(instrument)).first()
    if found is None or instrument not in {each["id"] for each in found.definition["instruments"]}:
        return set()
    return set(filter(None, [found.definition["interval_ns"], *found.definition["bars_ns"]]))


def _stored(instrument: str) -> list[_Stored]:
    rows = Series.objects.using(ALIAS).filter(instrument_id=instrument, rows__gt=0).exclude(kind=Kind.TICKS.value)
    return [
        _Stored(each.interval, round(each.first.timestamp() * 1e9), round(each.last.timestamp() * 1e9))
        for each in rows.order_by("interval")
        if each.first and each.last
    ]


def _closed(instrument: str, interval_ns: int, before_ns: int, count: int, tick: float) -> Candles:
    """Return what the feed has closed, each bar as it was closed last."""
    found = bars_before(feed_of(instrument), {Channel(instrument, interval_ns): count}, before_ns + interval_ns)
    rows = []
    for each in found:
        at = each.instruments.index(instrument)
        sides = zip(
            (each.bid_open, each.bid_high, each.bid_low, each.bid_close),
            (each.ask_open, each.ask_high, each.ask_low, each.ask_close),
            strict=True,
        )
        volume = int(each.volume_e6[at])
        middle = [0.5 * tick * (int(bid[at]) + int(ask[at])) for bid, ask in sides]
        rows.append((*middle, np.nan if volume < 0 else volume / 1e6))
    times = np.array([each.closed_at_ns - interval_ns for each in found], np.int64)
    values = np.array(rows, np.float64).reshape(-1, _COLUMNS - 1).T
    return _of_columns([times, *values], has_earlier=len(found) >= count)


def _from_store(instrument: str, interval_ns: int, before_ns: int, count: int) -> Candles:
    """Return bars of what is stored: of the coarsest stored interval that they can be made of."""
    fitting = [each for each in _stored(instrument) if interval_ns % each.interval_ns == 0]
    if not fitting:
        return _nothing()
    of = fitting[-1]
    reach = count * interval_ns
    while True:
        start = before_ns - reach * _CLOSED_TIMES
        bars = _between(instrument, of, interval_ns, start, before_ns)
        reaches = start <= of.first_ns
        if reaches or len(bars) > count or reach > 2**60:
            break
        reach = min(reach * 4, 2**61)
    opened = bars.time < before_ns
    chosen = np.flatnonzero(opened)[-count:]
    has_earlier = bool(chosen.size) and (int(chosen[0]) > 0 or not reaches)
    volume = np.full(len(bars), np.nan) if bars.volume is None else bars.volume
    columns = (bars.time, bars.open, bars.high, bars.low, bars.close, volume)
    return _of_columns([each[chosen] for each in columns], has_earlier=has_earlier)


def _between(instrument: str, of: _Stored, interval_ns: int, start_ns: int, end_ns: int) -> Bars:
    """Return bars made of those that are stored; the first may be a part of one, unless it is the first of all."""
    start_ns = max(start_ns, -(2**62))
    try:
        kind, rows = find_rows(instrument, of.interval_ns, start_ns, end_ns)
    except NoData:
        return to_bars(Kind.BARS, np.zeros(0, np.int64), np.zeros((5, 0)), interval_ns)
    time, values = rows.time, rows.values
    if of.interval_ns == interval_ns:
        return to_bars(kind, time, values, interval_ns)
    traded = find_instrument(instrument).as_instrument()
    kind, time, values = resample(kind, time, values, of.interval_ns, interval_ns, traded, all_hours=True)
    return to_bars(kind, time, values, interval_ns)


def _nothing() -> Candles:
    return _of_columns([np.zeros(0, np.int64), *np.zeros((_COLUMNS - 1, 0))], has_earlier=False)


def _of_columns(columns: "list[np.ndarray[Any, Any]]", *, has_earlier: bool) -> Candles:
    time_ns, opened, high, low, closed, volume = columns
    return Candles(time_ns, opened, high, low, closed, volume, has_earlier)
