"""The tradebook: what was traded, newest first, of all accounts or of one."""

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.console.access import page
from apps.console.orders import Filters
from apps.reporting import interface as reporting
from apps.reporting.interface import FillRow, ScopeError
from banyan.cursors import decoded, encoded

_A_PAGE = 50
_PLACE = [int, str, int, int, int, int]
_FILTERS = ("account", "set", "instrument", "day")
_KINDS = {"filled": "", "crossed": "between books", "outside": "not ours", "reconciled": "as the broker says"}


class FillPage(NamedTuple):
    """Fills, each with how the lots came where no order of ours was filled, and the cursor of those that are older."""

    rows: list[tuple[FillRow, str]]
    next: str


def fills_of(filters: Filters, cursor: str = "", most: int = _A_PAGE) -> FillPage:
    """Return fills, newest first. Raises ScopeError."""
    before: Any = decoded(cursor, len(_PLACE)) if cursor else None
    if before is not None and [type(each) for each in before] != _PLACE:
        before = None
    found = reporting.fills_from(filters.scope(), most + 1, tuple(before) if before else None)
    following = encoded(found[most - 1][0]) if len(found) > most else ""
    return FillPage([(row, _KINDS.get(row.kind, row.kind)) for _, row in found[:most]], following)


@page
def show_fills(request: HttpRequest) -> HttpResponse:
    """Show fills; the newest page of them goes on by itself."""
    filters = Filters(**{name: request.GET.get(name, "").strip() for name in _FILTERS})
    cursor = request.GET.get("before", "")
    problem, found = "", FillPage([], "")
    try:
        found = fills_of(filters, cursor)
    except ScopeError as error:
        problem = str(error)
    wanted = request.GET.copy()
    wanted.pop("before", None)
    context = {
        "title": "Fills", "filters": filters, "page": found, "problem": problem, "is_newest": not cursor,
        "query": wanted.urlencode(), "is_filtered": any(filters),
    }  # fmt: skip
    part = "console/fills_live.html" if request.headers.get("HX-Request") else "console/fills.html"
    return render(request, part, context)
