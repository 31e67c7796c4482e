"""Strategy sets: what each is, holds and earns, how its process is, and the form by which it is defined anew."""

from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from apps.console import levels
from apps.console.access import page
from apps.console.acts_of_sets import members_now, members_of
from apps.console.asking import ERRORS, Asking
from apps.console.members import member_of, members_written
from apps.execution import interface as execution
from apps.execution.book_contracts import effective_settings
from apps.execution.contracts import ConfigureSet, Subscribe
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope, SetRow
from apps.signals import interface as signals
from apps.signals.interface import NewMember, SetStanding
from banyan.commands import explained

_SAID = 15
_SUBSCRIBERS = 20
_NEW = -1


class Listed(NamedTuple):
    """A set in the list of all."""

    standing: SetStanding
    members: list[NewMember]
    followers: int | None
    today: list[SetRow]


class Field(NamedTuple):
    """A parameter in the form: how it is asked for, what it may be, and what stands in it."""

    name: str
    doc: str
    kind: str
    low: float | int | None
    high: float | int | None
    step: str
    choices: tuple[str, ...]
    value: object
    bounds: str


class ForAll(NamedTuple):
    """What holds for all who follow a set: settings with whether each was given, and how many shards have taken it."""

    settings: list[tuple[str, str, bool]]
    taken: int
    shards: int


@page
def show_sets(request: HttpRequest) -> HttpResponse:
    """Show all sets."""
    asking = Asking()
    standings = signals.set_standings()
    followers, today = asking.of("reporting", reporting.followers), asking.of("reporting", reporting.by_set) or []
    rows = [
        Listed(
            each, members_of(each), None if followers is None else followers.get(each.name, 0),
            [row for row in today if row.set == each.name],
        )
        for each in standings
    ]  # fmt: skip
    context = {"title": "Strategy sets", "rows": rows, "away": asking.away}
    part = "console/sets_live.html" if request.headers.get("HX-Request") else "console/sets.html"
    return render(request, part, context)


@page
def show_set(request: HttpRequest, name: str) -> HttpResponse:
    """Show a set."""
    standing = next((each for each in signals.set_standings() if each.name == name), None)
    if standing is None:
        raise Http404(f"there is no set {name}")
    after, asking = request.GET.get("after", ""), Asking()
    followers = asking.of("reporting", lambda: reporting.subscribers(name, _SUBSCRIBERS + 1, after)) or []
    restricted = asking.of("reporting", reporting.restrictions) or []
    now = asking.of("reporting", lambda: reporting.of_set(name))
    context = {
        "title": name,
        "set": standing,
        "members": [(at, each, members_written([each])) for at, each in enumerate(members_of(standing))],
        "followers": followers[:_SUBSCRIBERS],
        "followers_next": followers[_SUBSCRIBERS - 1].account if len(followers) > _SUBSCRIBERS else "",
        "follow": (asking.of("reporting", reporting.followers) or {}).get(name, 0),
        "today": now.today if now else [],
        "earned": asking.of("reporting", lambda: reporting.pnl(Scope(set=name), ("instrument",), 100)),
        "held": now.held if now else None,
        "said": asking.of("reporting", lambda: reporting.answered(name, _SAID)),
        "for_all": _for_all(asking, name),
        "restricted": [each for each in restricted if (each.level, each.name) == ("set", name)],
        "away": asking.away,
    }
    part = "console/set_live.html" if request.headers.get("HX-Request") else "console/set.html"
    return render(request, part, context)


def _for_all(asking: Asking, name: str) -> ForAll | None:
    level = asking.of("execution", lambda: execution.level_of_followers(name))
    told = asking.of("reporting", lambda: reporting.told_of_set(name))
    if level is None or told is None:
        return None
    wanted, *taken = (_in_words(each) for each in (ConfigureSet(set=name, terms=[], **level), *told))
    given = {each.removesuffix("_e9") for each in level}
    rows = [(each.name, wanted[each.name], each.name in given) for each in levels.OF_SET]
    return ForAll(rows, taken.count(wanted), len(taken))


def _in_words(level: ConfigureSet) -> dict[str, str]:
    return {each.name: each.value for each in effective_settings(level, Subscribe(account=0, set=level.set), None)}


@page
def edit_set(request: HttpRequest) -> HttpResponse:
    """Show a form for a member of a set, new or not; with everything typed, go on to where the change is previewed."""
    name = request.GET.get("set", "").strip()
    members = members_now(name)
    place = _place(request.GET.get("member", ""), members)
    present = members[place] if place != _NEW else None
    strategy = request.GET.get("strategy", "") or (present.strategy if present else "")
    problem, typed = "", {key[2:]: str(value).strip() for key, value in request.GET.items() if key.startswith("p.")}
    fields: list[Field] = []
    channels = request.GET.get("channels", _channels(present)).replace(" ", "")
    share = request.GET.get("share", f"{present.share:g}" if present else "1")
    try:
        if strategy:
            if strategy not in {*signals.list_strategies(), *(each.strategy for each in members)}:
                raise signals.SetError(f"there is no shipped strategy {strategy}")
            kept = present.parameters if present and present.strategy == strategy else {}
            fields = [_field(each, typed.get(each.name, kept.get(each.name))) for each in _parameters(strategy)]
        if strategy and "define" in request.GET:
            if not name:
                raise signals.SetError("give the set a name")
            made = member_of(strategy, channels, share, typed, {each.strategy for each in members})
            then = [*members, made] if place == _NEW else [*members[:place], made, *members[place + 1 :]]
            return redirect(_previewing(name, then))
        if place != _NEW and "remove" in request.GET:
            return redirect(_previewing(name, [*members[:place], *members[place + 1 :]]))
    except ERRORS:
        raise
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        problem = told[0]
    context = {
        "title": "Define a set" if not members else name,
        "name": name, "members": members, "place": "" if place == _NEW else place, "strategy": strategy,
        "strategies": sorted({*signals.list_strategies(), *(each.strategy for each in members)}),
        "doc": signals.get_strategy(strategy).doc if fields else "", "channels": channels, "share": share,
        "fields": fields, "problem": problem,
    }  # fmt: skip
    return render(request, "console/set_edit.html", context, status=422 if problem else 200)


def _place(text: str, members: list[NewMember]) -> int:
    return int(text) if text.isdecimal() and int(text) < len(members) else _NEW


def _channels(member: NewMember | None) -> str:
    return ",".join(f"{instrument}@{interval}" for instrument, interval in member.channels) if member else ""


def _parameters(strategy: str) -> tuple[Any, ...]:
    return signals.get_strategy(strategy).parameters


def _field(of: Any, value: object) -> Field:
    kind = "choice" if of.choices else "number"
    step = "1" if isinstance(of, signals.Int) else "any"
    shown = of.default if value is None else value
    return Field(of.name, of.doc, kind, of.low, of.high, step, of.choices or (), shown, of.range_text())


def _previewing(name: str, members: list[NewMember]) -> str:
    given = {"set": name, "members": members_written(members), "next": reverse("set", args=[name])}
    return f"{reverse('act', args=['set.define'])}?{urlencode(given)}"
