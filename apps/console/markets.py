"""Markets: feeds with what ails them, and instruments as charts of any window of their history."""

import time
from typing import Any, NamedTuple

import msgspec
import numpy as np
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from apps.console.access import page
from apps.console.asking import Asking
from apps.console.templatetags.told import digits_of
from apps.feeds import interface as feeds
from apps.feeds.interface import Candles, FeedStanding, InstrumentNotFound
from apps.reporting import interface as reporting
from apps.reporting.interface import QuoteRow
from trading.indicators import ema_columns, sma_columns
from trading.instruments import Instrument
from trading.intervals import SECOND, format_interval

_LISTED = 500
_BARS_MAX = 2_000
_MARKS_MAX = 400
_GAPS = 30
_FAR_NS = 4 * 10**18
AVERAGES = {
    "sma20": ("SMA 20", sma_columns, 20),
    "sma50": ("SMA 50", sma_columns, 50),
    "ema20": ("EMA 20", ema_columns, 20),
}
"""The averages that can be drawn, by their names in addresses: how each is called, what makes it, of how many bars."""


class Listed(NamedTuple):
    """An instrument in the list of all."""

    instrument: Instrument
    quote: QuoteRow | None
    feed: FeedStanding | None


class Window(msgspec.Struct):
    """Bars as a chart takes them: times in s; columns of equal length, None where there is no value."""

    time: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float | None]
    averages: dict[str, list[float | None]]
    bought: list[tuple[int, float, float, int]]
    wanted: list[tuple[int, str, float, str]]
    has_earlier: bool


@page
def show_markets(request: HttpRequest) -> HttpResponse:
    """Show feeds and instruments."""
    standings = feeds.feed_standings()
    of_feed = {name: each for each in standings for name in each.instruments}
    text = request.GET.get("find", "").strip().upper()
    listed = feeds.list_instruments("", _LISTED)
    found = [each for each in listed if text in each.id or text == each.asset_class.upper()]
    asking = Asking()
    quotes = asking.of("reporting", lambda: reporting.last_quotes([each.id for each in found])) or {}
    rows = [Listed(each, quotes.get(each.id), of_feed.get(each.id)) for each in found]
    rows.sort(key=lambda row: (row.feed is None, row.instrument.id))
    context = {"title": "Markets", "feeds": standings, "rows": rows, "text": text, "away": asking.away}
    if request.headers.get("HX-Request"):
        return render(request, "console/markets_live.html", context)
    return render(request, "console/markets.html", context | {"in_quarantine": feeds.quarantine_count()})


@page
def show_feed(request: HttpRequest, name: str) -> HttpResponse:
    """Show a feed, its gaps, and what it has put aside."""
    standing = next((each for each in feeds.feed_standings() if each.name == name), None)
    if standing is None:
        raise Http404(f"there is no feed {name}")
    context = {"title": name, "feed": standing, "gaps": feeds.live_gaps(name, _GAPS)}
    part = "console/feed_live.html" if request.headers.get("HX-Request") else "console/feed.html"
    return render(request, part, context)


@page
def show_instrument(request: HttpRequest, instrument: str) -> HttpResponse:
    """Show an instrument."""
    of, asking = _instrument(instrument), Asking()
    quotes = asking.of("reporting", lambda: reporting.last_quotes([of.id])) or {}
    held = asking.of("reporting", reporting.held)
    standing = next((each for each in feeds.feed_standings() if of.id in each.instruments), None)
    intervals = feeds.intervals_of(of.id)
    named = {format_interval(each.interval_ns): each for each in intervals}
    chosen = named.get(request.GET.get("interval", ""))
    chosen = chosen or next((each for each in intervals if each.is_live), None) or next(iter(intervals), None)
    context = {
        "title": of.id,
        "of": of,
        "feed": standing,
        "quote": quotes.get(of.id),
        "intervals": list(named.items()),
        "chosen": format_interval(chosen.interval_ns) if chosen else "",
        "averages": [(name, title) for name, (title, *_) in AVERAGES.items()],
        "digits": digits_of(of.tick_size) if of.tick_size > 0 else 2,
        "held": None if held is None else [(each.set, each) for each in held if each.instrument == of.id],
        "away": asking.away,
    }
    part = "console/instrument_live.html" if request.headers.get("HX-Request") else "console/instrument.html"
    return render(request, part, context)


@page
def bars(request: HttpRequest, instrument: str) -> HttpResponse:
    """Answer with a window of bars as JSON: the last `count` that opened before `before` (s), with what was traded."""
    of = _instrument(instrument)
    named = {format_interval(each.interval_ns): each.interval_ns for each in feeds.intervals_of(of.id)}
    chosen = named.get(request.GET.get("interval", ""))
    before, count = request.GET.get("before", ""), request.GET.get("count", "500")
    wrong = "interval: it has no such bars" if chosen is None else ""
    if before and not before.lstrip("-").isdecimal():
        wrong = "before: write seconds since 1970"
    if not count.isdecimal() or not 1 <= int(count) <= _BARS_MAX:
        wrong = f"count: write a number from 1 to {_BARS_MAX}"
    if wrong or chosen is None:
        return JsonResponse({"problem": wrong}, status=400)
    before_ns = max(-_FAR_NS, min(_FAR_NS, int(before) * SECOND)) if before else time.time_ns() + chosen
    averages = [each for each in request.GET.get("averages", "").split(",") if each in AVERAGES]
    spare = max((AVERAGES[each][2] for each in averages), default=0)
    found = feeds.candles(of.id, chosen, before_ns, int(count) + spare)
    window = _window(found, averages, int(count))
    if window.time:
        begins, ends = window.time[0] * SECOND, window.time[-1] * SECOND + chosen
        asking = Asking()  # while reporting is away, bars are drawn without its marks, and the page says so
        traded = (of.id, begins, ends + chosen)
        window.bought = [
            (each.at_ns // SECOND, each.bought_lots, each.sold_lots, each.fills)
            for each in asking.of("reporting", lambda: reporting.fill_marks(*traded, chosen, _MARKS_MAX)) or []
        ]
        window.wanted = [
            (each.at_ns // SECOND, each.set, each.value, each.mode)
            for each in asking.of("reporting", lambda: reporting.target_marks(*traded, _MARKS_MAX)) or []
        ]
    return HttpResponse(msgspec.json.encode(window), content_type="application/json")


def _window(found: Candles, averages: list[str], count: int) -> Window:
    drawn = slice(max(0, found.time_ns.size - count), None)
    lines = {}
    for name in averages:
        _, columns, length = AVERAGES[name]
        out = np.full(found.close.size, np.nan)
        if found.close.size:
            columns(np.ascontiguousarray(found.close), length, out)
        lines[name] = _told(out[drawn])
    return Window(
        time=(found.time_ns[drawn] // SECOND).tolist(),
        open=found.open[drawn].tolist(),
        high=found.high[drawn].tolist(),
        low=found.low[drawn].tolist(),
        close=found.close[drawn].tolist(),
        volume=_told(found.volume[drawn]),
        averages=lines,
        bought=[],
        wanted=[],
        has_earlier=found.has_earlier or found.time_ns.size > count,
    )


def _told(values: "np.ndarray[Any, Any]") -> list[float | None]:
    return [None if np.isnan(each) else each for each in values.tolist()]


def _instrument(name: str) -> Instrument:
    try:
        return feeds.get_instrument(name)
    except InstrumentNotFound as error:
        raise Http404(str(error)) from None
