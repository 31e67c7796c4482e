"""Small pictures as SVG, whose shapes are attributes: a page's policy lets no style of its own in."""

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Any, NamedTuple

from apps.reporting.interface import Minute, Speed


class Bar(NamedTuple):
    """A minute as two columns, from the top; `orders` and `refusals` are what they stand for."""

    x: float
    width: float
    y: float
    height: float
    refused_y: float
    refused_height: float
    at_ms: int
    orders: int
    refusals: int


class Columns(NamedTuple):
    """A chart of columns, in a box of `width` x `height`; `top` is what its upper edge stands for."""

    width: int
    height: int
    top: int
    bars: list[Bar]


def columns(minutes: Sequence[Minute], width: int = 600, height: int = 120) -> Columns:
    """Return orders and refusals by minute as columns."""
    top = nice(max((max(each.orders, each.refusals) for each in minutes), default=0))
    step = width / max(1, len(minutes))
    bars = []
    for at, each in enumerate(minutes):
        tall, refused = (height * count / top for count in (each.orders, each.refusals))
        bars.append(
            Bar(round(at * step + 1, 2), round(step - 2, 2), round(height - tall, 2), round(tall, 2),
                round(height - refused, 2), round(refused, 2), each.at_ns // 1_000_000, each.orders, each.refusals)
        )  # fmt: skip
    return Columns(width, height, top, bars)


class Mark(NamedTuple):
    """A time on a line of times."""

    name: str
    ms: float
    x: float
    is_over: bool


class Line(NamedTuple):
    """Times on a line from 0, with the limit."""

    width: int
    limit_x: float
    marks: list[Mark]


def line(speed: Speed, limit_ms: float, width: int = 320) -> Line | None:
    """Return p50, p99 and the slowest on a line; None where there is nothing to show."""
    times = [(name, ms) for name, ms in (("p50", speed.p50_ms), ("p99", speed.p99_ms), ("max", speed.max_ms)) if ms]
    if not times:
        return None
    longest = max(1.25 * limit_ms, 1.1 * max(ms for _, ms in times[:2]))
    marks = [Mark(name, ms, round(width * min(1.0, ms / longest), 2), ms > limit_ms) for name, ms in times]
    return Line(width, round(width * limit_ms / longest, 2), marks)


def nice(most: float) -> int:
    """Return a round number that is at least `most`, and at least 4."""
    if most <= 4:
        return 4
    step = 10 ** floor(log10(most))
    return int(next(each * step for each in (1, 2, 2.5, 5, 10) if each * step >= ceil(most)))


class Beats(NamedTuple):
    """Counts as a row of small columns in a box of `width` x `height`: x, width, y and height of each."""

    width: int
    height: int
    bars: list[tuple[float, float, float, float]]


def beats(counts: Sequence[int], top: int, width: int = 120, height: int = 22) -> Beats:
    """Return counts as small columns, the tallest of which stands for `top`; what is not 0 can be seen."""
    step = width / max(1, len(counts))
    bars = []
    for at, count in enumerate(counts):
        tall = max(1.5, height * count / top) if count else 0.0
        bars.append((round(at * step + 0.5, 2), round(step - 1, 2), round(height - tall, 2), round(tall, 2)))
    return Beats(width, height, bars)


class Span(NamedTuple):
    """A stage of something's life on a line that is `width` wide: from `x`, `length` long."""

    name: str
    ms: float
    x: float
    length: float


def spans(stages: Sequence[tuple[str, int, int]], width: int = 600) -> list[Span]:
    """Return stages (name, begin, end in ns) on one line, each at least a little to be seen."""
    if not stages:
        return []
    first, last = min(begin for _, begin, _ in stages), max(end for _, _, end in stages)
    scale = (width - 4) / max(1, last - first)
    return [
        Span(name, (end - begin) / 1e6, round((begin - first) * scale, 2), round(max(3.0, (end - begin) * scale), 2))
        for name, begin, end in stages
    ]


class Bit(NamedTuple):
    """A stage on its own line of a picture that is `width` wide: from `x`, `length` long."""

    width: int
    x: float
    length: float


def waterfall(times: Sequence[tuple[int, int]], width: int = 320) -> list[Bit]:
    """Return stages (begin, end in ns) each on a line of its own under one scale, each at least a little to be seen."""
    if not times:
        return []
    first, last = min(begin for begin, _ in times), max(max(each) for each in times)
    scale = (width - 4) / max(1, last - first)
    return [
        Bit(width, round((begin - first) * scale, 2), round(max(3.0, (end - begin) * scale), 2)) for begin, end in times
    ]


class Tile(NamedTuple):
    """A value on a map: where it is, how good (0 to 9; -1: nothing), and what it stands for."""

    x: float
    y: float
    tone: int
    told: str


class Heat(NamedTuple):
    """Scores by two values as a map of tiles, each `tile` wide and high, in a box of `width` x `height`."""

    width: float
    height: float
    tile: float
    xs: list[tuple[float, str]]
    ys: list[tuple[float, str]]
    tiles: list[Tile]
    low: float
    high: float


_TONES = 10
_LABELS_MAX = 12
_MARGIN = 46.0


def heat(scores: Sequence[tuple[Any, Any, Any]], *, higher_is_better: bool) -> Heat | None:
    """Return scores (x, y, score) as a map; of several for one place the best counts. None: there is no score."""
    best: dict[tuple[Any, Any], float] = {}
    for x, y, score in scores:
        if not isinstance(score, int | float) or score != score:
            continue
        known = best.get((x, y))
        if known is None or (score > known if higher_is_better else score < known):
            best[x, y] = float(score)
    if not best:
        return None
    xs, ys = ({each: at for at, each in enumerate(_in_order({key[axis] for key in best}))} for axis in (0, 1))
    low, high = min(best.values()), max(best.values())
    tile = max(6.0, min(34.0, 640.0 / len(xs)))
    tiles = []
    for (x, y), score in best.items():
        share = (score - low) / (high - low) if high > low else 1.0
        share = share if higher_is_better else 1.0 - share
        told = f"{x}, {y}: {score:.4g}" if y != "" else f"{x}: {score:.4g}"
        place = (_MARGIN + xs[x] * tile, (len(ys) - 1 - ys[y]) * tile)
        tiles.append(Tile(round(place[0], 2), round(place[1], 2), min(_TONES - 1, int(share * _TONES)), told))
    width, height = _MARGIN + len(xs) * tile, len(ys) * tile + 20
    along = [(round(_MARGIN + (at + 0.5) * tile, 2), each) for each, at in _labelled(xs)]
    up = [(round((len(ys) - 0.5 - at) * tile + 4, 2), each) for each, at in _labelled(ys)]
    return Heat(round(width, 2), round(height, 2), tile, along, up, tiles, low, high)


def _in_order(values: set[Any]) -> list[Any]:
    return sorted(values, key=lambda each: (isinstance(each, str), each))


def _labelled(places: dict[Any, int]) -> list[tuple[str, int]]:
    """Return the values that are written beside a map, not more than have room."""
    every = max(1, ceil(len(places) / _LABELS_MAX))
    written = ((f"{each:g}" if isinstance(each, float) else str(each), at) for each, at in places.items())
    return [(text, at) for text, at in written if not at % every]
