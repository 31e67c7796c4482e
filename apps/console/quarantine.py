"""Quarantine: what was not let in, by feed and instrument, looked at, corrected, let in or given up."""

from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.console.access import page
from apps.console.acts_of_quarantine import values_written
from apps.feeds import interface as feeds
from apps.feeds.interface import Reason

_ROWS_A_PAGE = 50
_COUNTS = 30
_LIVE = 50
_NUMBER_MAX = 2**53
_STATES = ("open", "released", "discarded")
_FILTERS = ("instrument", "reason", "file")


@page
def show_quarantine(request: HttpRequest) -> HttpResponse:
    """Show what is in quarantine: how many by instrument, reason and file, and each row."""
    filters = {name: request.GET.get(name, "").strip() for name in _FILTERS}
    state = request.GET.get("state", "open")
    state = state if state in _STATES else ""
    before = request.GET.get("before", "")
    place = int(before) if before.isdecimal() and len(before) < 19 else None
    rows = feeds.quarantined(_ROWS_A_PAGE + 1, place, state=state, with_gaps=False, **filters)
    query = request.GET.copy()
    query.pop("before", None)
    is_narrowed = any(filters.values())
    context = {
        "title": "Quarantine", "rows": rows[:_ROWS_A_PAGE], "filters": filters, "state": state, "states": _STATES,
        "reasons": [each.value for each in Reason], "query": query.urlencode(),
        "next": rows[_ROWS_A_PAGE - 1].id if len(rows) > _ROWS_A_PAGE else None, "is_newest": place is None,
        "counts": feeds.quarantine_counts(_COUNTS), "is_narrowed": is_narrowed,
        "found": feeds.quarantine_count(**filters) if is_narrowed and state == "open" else None,
        "feeds": [each for each in feeds.feed_standings() if each.quarantined],
    }  # fmt: skip
    return render(request, "console/quarantine.html", context)


@page
def show_quarantined(request: HttpRequest, record: int) -> HttpResponse:
    """Show a row, and its values in a form; with values typed that can be let in, go on to where that is done."""
    found = feeds.quarantined_row(record)
    if found is None:
        raise Http404(f"there is no record {record} in quarantine")
    known = {name: repr(value) for name, value in (found.values or {}).items()}
    columns = [(name, request.GET.get(name, known.get(name, "")), needed) for name, needed in
               feeds.quarantine_columns(record)]  # fmt: skip
    stated = "" if found.time is None else found.time.isoformat().replace("+00:00", "Z")
    time, problem = request.GET.get("time", stated), ""
    if "try" in request.GET:
        values = {name: text for name, text, _ in columns}
        try:
            feeds.quarantine_plan(record, time, values)
        except ValueError as error:
            problem = str(error)
        else:
            asked = {"record": record, "time": time, "values": values_written(values), "next": reverse("quarantine")}
            return redirect(f"{reverse('act', args=['quarantine.release'])}?{urlencode(asked)}")
    context = {
        "title": f"{found.instrument} {found.interval}", "of": found, "columns": columns, "time": time,
        "problem": problem, "is_open": found.state == "open", "is_gap": found.reason == Reason.GAP,
    }  # fmt: skip
    return render(request, "console/quarantined.html", context, status=422 if problem else 200)


@page
def show_live(request: HttpRequest, name: str, number: int, event: int) -> HttpResponse:
    """Show a record that a live feed has put aside, and a form that lets it into stored history."""
    known = number < _NUMBER_MAX and any(each.name == name for each in feeds.feed_standings())
    of = feeds.quarantined_live_row(name, number, event) if known else None
    if of is None:
        raise Http404(f"feed {name} has put aside no record {number}.{event}")
    place, problem, time, columns = (number, event), "", "", []
    series = feeds.quarantine_live_series(name, place) if of.decided_at is None else []
    chosen = next((each for each in series if str(each.id) == request.GET.get("series")), next(iter(series), None))
    if chosen is not None:
        read = {column: repr(value) for column, value in chosen.values.items()}
        time = request.GET.get("time", chosen.time)
        columns = [(each, request.GET.get(each, read.get(each, "")), needed) for each, needed in chosen.columns]
        if "try" in request.GET:
            values = {column: text for column, text, _ in columns}
            try:
                feeds.quarantine_live_plan(name, place, chosen.id, time, values)
            except ValueError as error:
                problem = str(error)
            else:
                asked = {
                    "feed": name, "places": f"{number}.{event}", "series": chosen.id, "time": time,
                    "values": values_written(values), "next": reverse("feed-quarantine", args=[name]),
                }  # fmt: skip
                return redirect(f"{reverse('act', args=['quarantine.release-live'])}?{urlencode(asked)}")
    context = {
        "title": f"{of.instrument} from {name}", "feed": name, "of": of, "place": f"{number}.{event}",
        "series": series, "chosen": chosen, "time": time, "columns": columns, "problem": problem,
    }  # fmt: skip
    return render(request, "console/live_quarantined.html", context, status=422 if problem else 200)


@page
def show_put_aside(request: HttpRequest, name: str) -> HttpResponse:
    """Show what a live feed did not let in, the newest first, and what was decided of it."""
    if all(each.name != name for each in feeds.feed_standings()):
        raise Http404(f"there is no feed {name}")
    before = request.GET.get("before", "")
    number, _, event = before.partition(".")
    place = (int(number), int(event)) if number.isdecimal() and event.isdecimal() and len(before) < 20 else None
    found = feeds.quarantined_live(name, _LIVE + 1, place)
    rows = found[:_LIVE]
    context = {
        "title": f"Quarantine of {name}", "feed": name, "rows": rows, "is_newest": place is None,
        "next": f"{rows[-1].number}.{rows[-1].event}" if len(found) > _LIVE else "",
        "open": ",".join(f"{each.number}.{each.event}" for each in rows if each.decided_at is None),
    }  # fmt: skip
    part = "console/feed_quarantine_live.html" if request.headers.get("HX-Request") else "console/feed_quarantine.html"
    return render(request, part, context)
