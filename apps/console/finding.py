"""What is typed at the top of every page: accounts, sets, instruments and orders by it, each with its page."""

from functools import partial

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.http import urlencode

from apps.console.access import page
from apps.console.asking import Asking
from apps.feeds import interface as feeds
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.signals import interface as signals

_EACH = 4
_INSTRUMENTS = 500
_TEXT_MAX = 200
Found = tuple[str, str]
"""What it is, in words, and its address."""


@page
def find(request: HttpRequest) -> HttpResponse:
    """Answer with what is found by a text, as JSON: accounts first, then an order, sets, instruments."""
    text = request.GET.get("q", "").strip()[:_TEXT_MAX]
    asking = Asking()
    found: list[Found] = []
    if text:
        found += asking.of("reporting", partial(_accounts, text)) or []
        found += asking.of("reporting", partial(_orders, text)) or []
        found += asking.of("signals", partial(_sets, text)) or []
        found += asking.of("feeds", partial(_instruments, text)) or []
    told = [{"title": title, "href": address} for title, address in found]
    return JsonResponse({"found": told, "away": asking.away})


def _accounts(text: str) -> list[Found]:
    found = reporting.find_accounts(Scope(), text, None, _EACH)
    return [(f"Account {each.account}", reverse("account", args=[each.account])) for each in found]


def _orders(text: str) -> list[Found]:
    """Return the order that ACCOUNT INSTRUMENT DECISION names, else the orders of an account or in an instrument."""
    parts = text.split()
    named = _account(parts[0])
    if named and len(parts) == 3 and parts[2].isdecimal() and len(parts[2]) < 16:
        instrument, decision = parts[1].upper(), int(parts[2])
        if reporting.order(Scope(account=named, instrument=instrument), decision) is not None:
            address = reverse("order", args=[named, instrument, decision])
            return [(f"Order {decision} of {named} in {instrument}", address)]
    if named and len(parts) == 1:
        return [(f"Orders of {named}", f"{reverse('orders')}?{urlencode({'account': named})}")]
    return []


def _account(text: str) -> str:
    """Return the id of an account as it is written, whatever the case that it was typed in; "": there is none."""
    found = reporting.find_accounts(Scope(), text, None, _EACH)
    return next((each.account for each in found if each.account.lower() == text.lower()), "")


def _sets(text: str) -> list[Found]:
    names = [each.name for each in signals.set_standings() if text.lower() in each.name.lower()]
    return [(f"Set {name}", reverse("set", args=[name])) for name in names[:_EACH]]


def _instruments(text: str) -> list[Found]:
    names = [each.id for each in feeds.list_instruments("", _INSTRUMENTS) if text.upper() in each.id][:_EACH]
    found = [(name, reverse("instrument", args=[name])) for name in names]
    if len(names) == 1:
        found.append((f"Orders in {names[0]}", f"{reverse('orders')}?{urlencode({'instrument': names[0]})}"))
    return found
