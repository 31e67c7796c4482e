"""What a first look at the console needs: sets, accounts and a feed that gives the past as if it came now."""

import io
from typing import Any

from django.core.management import call_command

from apps.execution.models import Account
from apps.feeds.models import Feed
from apps.reporting import interface as reporting
from apps.risk.contracts import Limits
from apps.risk.interface import set_limits

ACCOUNTS, NARROW = 100, 5
SETS = {"trend": ("ema_cross", ["fast=4", "slow=12"]), "revert": ("bollinger_reversion", [])}
_EURUSD = "OANDA:EURUSD"
_BARS = "5s"
_FROM = "2014-05-02T12:25"
"""Five minutes before the payrolls of that month: there is something to see."""
_CLIENTS = ("ashdown", "birch", "cedar", "dunmore")
_ORDER_STEPS_MAX = 20_000


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


def _call(command: str, *arguments: str, **options: Any) -> None:
    call_command(command, *arguments, **{"stdout": io.StringIO(), **options})
