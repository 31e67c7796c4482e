"""What is around every page: the one navigation, for live pages and records alike."""

from typing import Any, NamedTuple

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from apps.console.access import OPERATE, PEOPLE, VIEW
from apps.console.pulse import alerts_to_look_at


class Place(NamedTuple):
    """An entry of the navigation; `key` is what is typed after `g` to go there."""

    title: str
    url: str
    icon: str
    is_here: bool
    key: str = ""
    waiting: int | None = None
    """How much there waits to be looked at; None: nothing is counted there."""


class Group(NamedTuple):
    """Entries that belong together."""

    title: str
    places: list[Place]


_LIVE = (
    ("Overview", "overview", "monitoring", "o"),
    ("Orders", "orders", "receipt_long", "r"),
    ("Fills", "fills", "swap_vert", "f"),
    ("Accounts", "accounts", "account_balance", "a"),
    ("Markets", "markets", "candlestick_chart", "m"),
    ("Strategy sets", "sets", "account_tree", "s"),
    ("Risk", "risk", "shield", "k"),
    ("Alerts", "alerts", "notifications", "l"),
    ("Research", "research", "science", "e"),
)
_ALERTS_KEY = "l"
_BEHIND = (
    ("Extraction", "extraction", "call_split", "x"),
    ("Streams", "streams", "timeline", "v"),
    ("Dead letters", "dead-letters", "mark_email_unread", "d"),
    ("Audit", "audit", "history", "u"),
)
_FOR_OPERATORS = (("Configuration", "configuration", "tune", "c"),)
_FOR_ADMINISTRATORS = (("People", "people", "group", "p"), ("API keys", "api-keys", "key", "y"))
_ICONS = {
    "Instrument": "candlestick_chart", "Series": "stacked_line_chart", "Import": "upload_file",
    "QuarantinedRecord": "report", "Factor": "percent", "User": "person", "Group": "group",
}  # fmt: skip


_RECORDS = {"auth": "Users and roles"}
"""What the records of an app are called, where not as the app is."""


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return what templates need for the shell, as a context processor; nothing for who is not signed in."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"navigation": []}
    navigation = SimpleLazyObject(lambda: _navigation(request))  # the parts that pages fetch anew have none
    return {"navigation": navigation, "may_operate": user.has_perm(OPERATE)}


def _navigation(request: HttpRequest) -> list[Group]:
    groups = []
    if request.user.has_perm(VIEW):
        live = [_place(request, *each) for each in _LIVE]
        groups.append(Group("Live", [_counted(each) if each.key == _ALERTS_KEY else each for each in live]))
        behind = [*_BEHIND, *(_FOR_OPERATORS if request.user.has_perm(OPERATE) else ())]
        behind += _FOR_ADMINISTRATORS if request.user.has_perm(PEOPLE) else ()
        groups.append(Group("Behind it", [_place(request, *each) for each in behind]))
    if request.user.is_staff:
        for app in admin.site.get_app_list(request):
            places = [
                Place(
                    str(model["name"]), model["admin_url"], _ICONS.get(model["object_name"], "table_rows"),
                    request.path.startswith(model["admin_url"]),
                )
                for model in app["models"]
                if model.get("admin_url")
            ]  # fmt: skip
            groups.append(Group(_RECORDS.get(app["app_label"], str(app["name"])), places))
    return groups


def _counted(alerts: Place) -> Place:
    """Return the entry of alerts with how many are open; the page goes on with the number by itself."""
    return alerts._replace(waiting=alerts_to_look_at() or 0)


def _place(request: HttpRequest, title: str, name: str, icon: str, key: str) -> Place:
    url = reverse(name)
    is_here = request.path == url if url == "/" else request.path.startswith(url)
    return Place(title, url, icon, is_here, key)
