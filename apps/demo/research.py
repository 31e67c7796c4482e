"""The first half of the demonstration: a backtest and a sweep on real prices, as a quant types them."""

import shlex
from collections.abc import Callable

from django.core.management import call_command

_BARS = "--instrument OANDA:EURUSD --interval 1h"
_COMMANDS = (
    f"backtest ema_cross {_BARS} --html var/reports/demo.html",
    f"sweep ema_cross {_BARS} --grid fast=5:25:5 --grid slow=30:230:20 --html var/reports/demo-sweep.html",
)


def research(say: Callable[[str], None]) -> None:
    """Set up what is missing, then run the commands, each after a line that says what was typed."""
    call_command("migrate", verbosity=0)
    call_command("load_sample_data")
    for command in _COMMANDS:
        say(f"\n$ manage.py {command}")
        call_command(*shlex.split(command))
