"""What a first look at the console needs: sets, accounts and a feed that gives the past as if it came now.

It is removed as a whole, with all that was traded on it, where there is nothing else.
"""

import io
import shutil
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from apps.execution.models import Account
from apps.feeds.defined import REPLAY
from apps.feeds.models import Feed
from apps.reporting import interface as reporting
from apps.risk.contracts import Limits
from apps.risk.interface import set_limits
from apps.signals.models import StrategySet
from banyan.standing import standings

ACCOUNTS, NARROW = 100, 5
SETS = {"trend": ("ema_cross", ["fast=4", "slow=12"]), "revert": ("bollinger_reversion", [])}
_EURUSD = "OANDA:EURUSD"
_BARS = "5s"
_FROM = "2014-05-02T12:25"
"""Five minutes before the payrolls of that month: there is something to see."""
_CLIENTS = ("ashdown", "birch", "cedar", "dunmore")
_ORDER_STEPS_MAX = 20_000
_OF_LIVE_FEEDS = ("feeds_feed", "feeds_feedreport", "feeds_livedecision")


def load() -> str:
    """Define all of it, unless there is an account or a feed; return in words what was done."""
    if Account.objects.using("execution").exists() or Feed.objects.using("feeds").exists():
        return "There are accounts or feeds already: the sample was left out."
    for name, (strategy, parameters) in SETS.items():
        _call("sets", "define", name, strategy=strategy, instrument=[_EURUSD], interval=_BARS, param=parameters)
        _call("sets", "start", name)
    each = ACCOUNTS // len(_CLIENTS)
    for client in _CLIENTS:
        _call("accounts", "open", client.upper(), count=each, client=client, deposit=100_000.0)
        for name in SETS:
            _call("accounts", "subscribe", client.upper(), count=each, set=name, allocation=0.5, join="converge")
    for number in range(each - NARROW + 1, each + 1):
        limits = Limits(order_steps_max=_ORDER_STEPS_MAX)
        set_limits(
            limits, account=f"{_CLIENTS[0].upper()}-{number:02d}", reason="a careful client", request=f"sample-{number}"
        )
    _call("feeds", "add", source="replay", instrument=[_EURUSD], bars=[_BARS], first=_FROM, speed=1.0)
    _call("feeds", "start", "oanda")
    return f"Two strategy sets, {ACCOUNTS} paper accounts, and a feed of real ticks of 2014-05-02."


def missing_for_readers() -> int:
    """Return how many accounts were opened of which nothing can be read yet: no pipeline has taken them up."""
    opened = Account.objects.using("execution").count()
    read = len(reporting.accounts(reporting.Scope(), opened))
    return opened - read


class SampleError(ValueError):
    """The sample cannot be removed; the message says what stands in the way."""

    exit_code: ClassVar = 2


def remove() -> str:
    """Remove the sample and all that was traded on it; return in words what was done.

    Users, keys, the audit, alerts' rules, stored prices and runs stay. Raises SampleError where there are other
    accounts, sets or feeds, or something works on them.
    """
    if others := _others():
        raise SampleError(f"not all of this is the sample's: there is {', '.join(others)}. Nothing was removed.")
    if any(key["is_held"] for context in standings().values() for key in context["keys"]):
        raise SampleError("the pipeline runs: stop `manage.py run` (or `manage.py serve --sample`) first")
    if not Account.objects.using("execution").exists() and not Feed.objects.using("feeds").exists():
        return "There is no sample."
    for alias in ("execution", "risk", "signals", "edge", "reporting"):
        _empty(alias, lambda _: True)
    _empty("feeds", lambda table: table in _OF_LIVE_FEEDS or table.startswith("banyan_"))
    shutil.rmtree(settings.PAPER_DIR, ignore_errors=True)
    return "The sample and all that was traded on it are removed. Prices, runs, users and the audit stay."


def _others() -> list[str]:
    """Return what there is beside the sample, in words."""
    accounts = Account.objects.using("execution").exclude(client__in=_CLIENTS)[:1]
    sets = StrategySet.objects.using("signals").exclude(pk__in=SETS)[:1]
    feeds = Feed.objects.using("feeds").exclude(definition__source=REPLAY)[:1]
    return [
        f"{what} {found.pk}" for what, of in (("account", accounts), ("set", sets), ("feed", feeds)) for found in of
    ]


def _empty(alias: str, is_wanted: Callable[[str], bool]) -> None:
    with connections[alias].cursor() as cursor:
        tables = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
        wanted = ", ".join(f'"{name}"' for name in tables if is_wanted(name))
        cursor.execute(f"TRUNCATE {wanted} CASCADE")


def _call(command: str, *arguments: str, **options: Any) -> None:
    call_command(command, *arguments, **{"stdout": io.StringIO(), **options})
