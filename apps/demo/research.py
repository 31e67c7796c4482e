"""The first half of the demonstration: a backtest and a sweep on real prices, as a quant types them."""

import os
import shlex
from collections.abc import Callable

from django.conf import settings
from django.core.management import call_command

_BARS = ("ema_cross", "--instrument", "OANDA:EURUSD", "--interval", "1h")
_GRID = ("--grid", "fast=5:25:5", "--grid", "slow=30:230:20")


def research(say: Callable[[str], None]) -> None:
    """Set up what is missing, then run the commands, each after a line that says what was typed."""
    call_command("migrate", verbosity=0)
    call_command("load_sample_data")
    reports = os.path.relpath(settings.DATA_DIR / "reports")
    for command in (
        ("backtest", *_BARS, "--html", f"{reports}/demo.html"),
        ("sweep", *_BARS, *_GRID, "--html", f"{reports}/demo-sweep.html"),
    ):
        say(f"\n$ manage.py {shlex.join(command)}")
        call_command(*command)
