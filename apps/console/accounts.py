"""Accounts: found by typing, and each with its equity, what it holds, its orders, and why."""

import time
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from apps.console.access import page
from apps.console.asking import Asking
from apps.console.fills import fills_of
from apps.console.orders import Filters, orders_of
from apps.reporting import interface as reporting
from apps.reporting.interface import FoundAccount, OrderRow, Scope, SetSettings, skip_in_words
from apps.signals import interface as signals
from banyan.cursors import decoded, encoded

_A_PAGE = 50
_SHOWN = 15
_HOUR_NS = 3_600 * 10**9
_RANGES = {"1h": _HOUR_NS, "1d": 24 * _HOUR_NS, "7d": 168 * _HOUR_NS, "90d": 2_160 * _HOUR_NS}


class Became(NamedTuple):
    """What became of what a set said: an order in a state, or nothing, and why."""

    at_ns: int
    set: str
    instrument: str
    what: str
    why: str
    order: OrderRow | None


@page
def show_accounts(request: HttpRequest) -> HttpResponse:
    """Show the accounts that what is typed finds."""
    text = request.GET.get("find", "").strip()
    after: Any = decoded(request.GET["after"], 2) if "after" in request.GET else None
    if after is not None and [type(each) for each in after] != [int, str]:
        after = None
    found = reporting.find_accounts(Scope(), text, tuple(after) if after else None, _A_PAGE + 1)
    last = found[_A_PAGE - 1] if len(found) > _A_PAGE else None
    more = encoded([last.rank, last.account]) if last is not None else ""
    context: dict[str, Any] = {
        "title": "Accounts",
        "rows": found[:_A_PAGE],
        "next": more,
        "text": text,
        "is_first": after is None,
    }
    if text and found:
        together = reporting.selection(text)
        back = f"{reverse('accounts')}?{urlencode({'find': text})}"
        context["together"] = together
        context["selection"] = urlencode({"find": text, "count": together.accounts, "next": back})
    part = "console/accounts_live.html" if request.headers.get("HX-Request") else "console/accounts.html"
    return render(request, part, context)


@page
def show_account(request: HttpRequest, account: str) -> HttpResponse:
    """Show an account."""
    of = _account(account)
    scope = Scope(account=account)
    orders = orders_of(Filters(account=account), most=_SHOWN).rows
    settings = reporting.settings_now(of)
    positions = reporting.positions(scope, 500)
    context = {
        "title": account,
        "of": of,
        "holds": reporting.holds_of(of, orders, [each.set for each in settings]),
        "positions": [each for each in positions if each.steps],
        "earned": reporting.pnl(scope, ("set",), 100),
        "working": orders_of(Filters(account=account, state="working"), most=_SHOWN),
        "fills": fills_of(Filters(account=account), most=_SHOWN),
        "became": _became(of, orders),
        "settings": settings,
        "ranges": list(_RANGES),
        "unfollowed": _unfollowed(settings),
    }
    part = "console/account_live.html" if request.headers.get("HX-Request") else "console/account.html"
    return render(request, part, context)


@page
def equity(request: HttpRequest, account: str) -> HttpResponse:
    """Answer with an account's equity over time as JSON: [seconds since 1970, equity] by point."""
    of = _account(account)
    back_ns = _RANGES.get(request.GET.get("range", ""), _RANGES["1d"])
    points = reporting.equity_curve(of, time.time_ns() - back_ns)
    by_second = {point.at_ns // 10**9: round(point.equity, 2) for point in points}
    return HttpResponse(msgspec.json.encode(list(by_second.items())), content_type="application/json")


def _account(account: str) -> FoundAccount:
    of = reporting.account(Scope(account=account))
    if of is None:
        raise Http404(f"there is no account {account}")
    return of


def _unfollowed(settings: list[SetSettings]) -> list[str]:
    """Return the sets that an account could follow, and of which it has no settings; none where nobody can be asked."""
    known = {each.set for each in settings}
    standings = Asking().of("signals", signals.set_standings) or []
    return [each.name for each in standings if each.name not in known]


def _became(of: FoundAccount, orders: list[OrderRow]) -> list[Became]:
    """Return what became of what sets said of late, newest first."""
    since_ns = time.time_ns() - _RANGES["7d"]
    told = [
        Became(order.requested_at_ns or 0, order.set, order.instrument, order.state, order.why, order)
        for order in orders
    ]
    for skip in reporting.skips_of(of, since_ns, _SHOWN):
        level = f" Set for the {skip.level}." if skip.level else ""
        why = skip_in_words(skip.reason) + level
        told.append(Became(skip.skipped_at_ns, skip.set, skip.instrument, "no order", why, None))
    return sorted(told, key=lambda each: -each.at_ns)[:_SHOWN]
