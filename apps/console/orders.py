"""The blotter, and the life of one order."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from apps.console.access import page
from apps.console.charts import Span, spans
from apps.console.needs import Need, of_proposals
from apps.console.proposing import open_proposals
from apps.reporting import interface as reporting
from apps.reporting.interface import ORDER_STATES, OrderRow, Scope, ScopeError
from banyan.cursors import decoded, encoded

_A_PAGE = 50
_OF_UNKNOWN = (("order.query", "Ask now"), ("order.adopt", "Adopt"), ("order.resolve", "Resolve"))
"""What people can do about an order that is UNKNOWN."""


class Filters(NamedTuple):
    """What a list of orders is limited to, as it stands in the address."""

    account: str = ""
    set: str = ""
    instrument: str = ""
    state: str = ""
    day: str = ""

    def scope(self) -> Scope:
        """Return it as reporting knows it. Raises ScopeError for what there is not."""
        try:
            day = date.fromisoformat(self.day) if self.day else None
        except ValueError:
            raise ScopeError(f"{self.day} is no day: write it as 2026-03-31") from None
        if self.state and self.state not in ORDER_STATES:
            raise ScopeError(f"there is no state {self.state}; there are {', '.join(ORDER_STATES)}")
        scope = Scope(account=self.account, set=self.set, instrument=self.instrument, day=day)
        reporting.check(scope)
        return scope


class OrderPage(NamedTuple):
    """Orders, and the cursor of those that are older; "": there are none."""

    rows: list[OrderRow]
    next: str


def orders_of(filters: Filters, cursor: str = "", most: int = _A_PAGE) -> OrderPage:
    """Return orders, newest first. Raises ScopeError."""
    before: Any = decoded(cursor, 4) if cursor else None
    if before is not None and [type(each) for each in before] != [int, str, str, int]:
        before = None
    found = reporting.orders(filters.scope(), most + 1, state=filters.state, before=tuple(before) if before else None)
    last = found[most - 1] if len(found) > most else None
    following = encoded(reporting.place_of(last)) if last else ""
    return OrderPage(reporting.with_reasons(found[:most]), following)


@page
def show_orders(request: HttpRequest) -> HttpResponse:
    """Show orders; the newest page of them goes on by itself."""
    filters = Filters(*(request.GET.get(name, "").strip() for name in Filters._fields))
    cursor = request.GET.get("before", "")
    problem, found = "", OrderPage([], "")
    try:
        found = orders_of(filters, cursor)
    except ScopeError as error:
        problem = str(error)
    wanted = request.GET.copy()
    wanted.pop("before", None)
    context = {
        "title": "Orders", "filters": filters, "page": found, "problem": problem, "states": ORDER_STATES,
        "is_newest": not cursor, "query": wanted.urlencode(), "is_filtered": any(filters),
    }  # fmt: skip
    part = "console/orders_live.html" if request.headers.get("HX-Request") else "console/orders.html"
    return render(request, part, context)


@page
def show_unknown(request: HttpRequest) -> HttpResponse:
    """Show the ledger of orders that are UNKNOWN, with what people can do about each."""
    cursor = request.GET.get("before", "")
    context = {
        "title": "UNKNOWN orders", "page": orders_of(Filters(state="unknown"), cursor), "is_newest": not cursor,
        "is_by_two": "order.resolve" in settings.TWO_PEOPLE, "acts": _OF_UNKNOWN, "asked": _asked(),
    }  # fmt: skip
    part = "console/unknown_orders_live.html" if request.headers.get("HX-Request") else "console/unknown_orders.html"
    return render(request, part, context)


@page
def show_order(request: HttpRequest, account: str, instrument: str, decision: int) -> HttpResponse:
    """Show what happened to an order, from the quote that it was decided on to its end."""
    order = reporting.order(Scope(account=account, instrument=instrument), decision)
    if order is None:
        raise Http404("there is no such order")
    (order,) = reporting.with_reasons([order])
    fills = reporting.fills_of(order)
    happened = reporting.timeline(order, fills)
    first_ns = happened[0].at_ns if happened else 0
    context = {
        "title": f"Order {decision} of {account}",
        "order": order,
        "happened": [(each, (each.at_ns - first_ns) / 1e6) for each in happened],
        "spans": _life(order),
        "settings": reporting.settings_of(order),
        "fills": [each for _, each in fills],
        "quote": reporting.quote_of(order),
        "acts": _OF_UNKNOWN,
        "asked": _asked({"account": account, "instrument": instrument, "decision": str(decision)}),
        "is_by_two": "order.resolve" in settings.TWO_PEOPLE,
    }
    part = "console/order_live.html" if request.headers.get("HX-Request") else "console/order.html"
    return render(request, part, context)


def _asked(of: Mapping[str, str] | None = None) -> list[Need]:
    """Return what waits for a second person to confirm it: of an order, or of any."""
    found = [each for each in open_proposals() if each.name.startswith("order.") and of in (None, each.given)]
    return of_proposals(found)


def _life(order: OrderRow) -> list[Span]:
    """Return the stages that an order has passed, one after the other, as far as its times are of one clock."""
    stages = (
        ("signal to decision", order.signalled_at_ns, order.requested_at_ns),
        ("risk", order.requested_at_ns, order.approved_at_ns),
        ("to the broker", order.approved_at_ns, order.sent_at_ns),
        ("acknowledgement", order.sent_at_ns, order.accepted_at_ns),
    )
    return spans([(name, begin, end) for name, begin, end in stages if begin and end and end >= begin])
