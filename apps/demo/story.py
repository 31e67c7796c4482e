"""What the demonstration does, step by step, and what it tells of it."""

import io
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.utils.module_loading import import_string

from apps.audit.facts import Facts
from apps.audit.invariants import INVARIANTS, violations
from apps.audit.loading import load_facts
from apps.demo.place import clear
from apps.reporting import interface as reporting
from apps.reporting.interface import Scope
from apps.risk.contracts import Limits
from apps.risk.interface import set_limits
from banyan.host.memory import state_at
from banyan.process.usage import end_with_parent
from banyan.store import Store

ACCOUNTS, NARROW = 100, 10
_ORDER_STEPS_MAX = 20_000
_EURUSD = "OANDA:EURUSD"
_SETS = {"trend": ("ema_cross", ["fast=3", "slow=8"]), "revert": ("bollinger_reversion", ["window=10"])}
_FROM, _TO = "2014-05-02T12:20", "2014-05-02T12:42"
_SECONDS_MAX = 600.0
_ALL = 1_000_000

Say = Callable[[str], None]


class DemoError(RuntimeError):
    """The demonstration did not come to its end; the message says what was waited for."""


def tell(say: Say, wait_for_turn: Callable[[], object]) -> bool:
    """Run the pipeline and, once it is our turn, say what comes of it; return whether all invariants hold."""
    with ThreadPoolExecutor(1) as beside:
        emptied = beside.submit(_empty)
        import_string(settings.PREPARE)()
        emptied.result()
    with _running():
        _prepare()
        _wait("trading", _is_ready)
        wait_for_turn()
        _tell_prepared(say)
        say(f"ticks of {_FROM[:10]}, {_FROM[11:]} to {_TO[11:]} UTC, in lock step, so that each time gives the same:")
        _call("replay", _EURUSD, interval="tick", bars=["1m"], first=_FROM, last=_TO, lockstep=True)
        facts = _at_rest()
        _wait("reporting", lambda: _is_told(facts))
    _tell_orders(say, facts)
    _tell_money(say)
    return _tell_invariants(say, facts)


def _empty() -> None:
    _call("migrate", verbosity=0)
    clear()
    _call("import_ticks", str(Path(settings.BASE_DIR) / "apps/feeds/sample/eurusd_ticks_2014-05-02.csv.gz"),
          instrument=_EURUSD)  # fmt: skip
    connections.close_all()


def _prepare() -> None:
    for name, (strategy, parameters) in _SETS.items():
        _call("sets", "define", name, strategy=strategy, instrument=[_EURUSD], interval="1m", param=parameters)
        _call("sets", "start", name)
    _call("accounts", "open", "DEMO", count=ACCOUNTS, client="demo", deposit=100_000.0)
    for name in _SETS:
        _call("accounts", "subscribe", "DEMO", count=ACCOUNTS, set=name, allocation=0.5, join="converge")
    for number in range(ACCOUNTS - NARROW + 1, ACCOUNTS + 1):
        limits = Limits(order_steps_max=_ORDER_STEPS_MAX)
        set_limits(limits, account=f"DEMO-{number:03d}", reason="a careful client", request=f"demo-{number}")


def _tell_prepared(say: Say) -> None:
    say(f"two strategy sets (trend: ema_cross, revert: bollinger_reversion), {ACCOUNTS} paper accounts of 100,000 USD,")
    say(f"{NARROW} of them with at most {_ORDER_STEPS_MAX:,} EUR (a lot step each) in an order")


@contextmanager
def _running() -> Iterator[None]:
    """Run the system as `manage.py run` does, forked from here, where everything that it needs is loaded."""
    connections.close_all()
    tree = get_context("fork").Process(target=_run, name="run")
    tree.start()
    try:
        yield
    finally:
        tree.terminate()
        tree.join()


def _run() -> None:
    end_with_parent()
    log = os.open(settings.DATA_DIR / "run.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    call_command("run")


def _is_ready() -> bool:
    """Tell whether the broker has said of every account what it holds."""
    execution = import_string(settings.HOSTED_CONTEXTS)["execution"]
    with closing(Store("execution")) as store:
        numbers = store.numbers(store.all_keys())
        states = [state_at(execution, store, key, number)[0] for key, number in numbers.items()]
    return sum(int(state.accounts.columns["ready"].sum()) for state in states) == ACCOUNTS


def _at_rest() -> Facts:
    """Return what was recorded, once nothing is on its way or after a while."""
    until = time.monotonic() + _SECONDS_MAX
    while True:
        facts = load_facts(
            import_string(settings.HOSTED_CONTEXTS),
            import_string(settings.SENDERS),
            paper=settings.PAPER_DIR,
            switch=settings.KILL_SWITCH,
        )
        if (facts.trades and not violations(facts)) or time.monotonic() >= until:
            return facts
        time.sleep(0.2)


def _is_told(facts: Facts) -> bool:
    fills = [each for each in reporting.fills(Scope(), _ALL) if each.kind == "filled"]
    return len(fills) >= len(facts.trades) and len(reporting.orders(Scope(), _ALL)) >= len(facts.requested)


def _wait(what: str, is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _SECONDS_MAX
    while not is_so():
        if time.monotonic() >= until:
            raise DemoError(f"{what} did not come to its end: see {settings.DATA_DIR / 'run.log'}")
        time.sleep(0.1)


def _tell_orders(say: Say, facts: Facts) -> None:
    signals = Counter(each.set for each in reporting.signals(Scope(), _ALL))
    say("signals   " + ", ".join(f"{name}: {count}" for name, count in signals.items()))
    states = Counter(each.state for each in reporting.orders(Scope(), _ALL))
    say("orders    " + ", ".join(f"{state}: {count:,}" for state, count in states.most_common()))
    lots = sum(abs(each.lots or 0.0) for each in reporting.fills(Scope(), _ALL))
    say(f"fills     {len(facts.trades):,}, of {lots:,.0f} EUR")
    refused = reporting.refusals(Scope(), _ALL)
    reasons = Counter((each.by, each.reason) for each in refused)
    for (by, reason), count in reasons.most_common():
        one = next(each for each in refused if (each.by, each.reason) == (by, reason))
        beyond = f"{one.actual:,} lot steps where {one.bound:,} are the most"
        say(f"refused   {count:,} by {by}: {reason}, such as {one.account}: {beyond}")


def _tell_money(say: Say) -> None:
    for row in reporting.pnl(Scope(), ("set",), _ALL):
        say(f"profit    {row.group[0]}: {row.realised:+,.2f} realised, {row.unrealised:+,.2f} unrealised USD")
    for stage in reporting.latencies(Scope()):
        if stage.stage.endswith("filled"):
            continue  # fills bear the time of their prices, which is that of the ticks
        say(f"latency   {stage.stage}: p50 {stage.p50_ms:.1f} ms, p99 {stage.p99_ms:.1f} ms")


def _tell_invariants(say: Say, facts: Facts) -> bool:
    found = violations(facts)
    broken = {each.invariant for each in found}
    for each in INVARIANTS:
        say(f"{'BROKEN' if each.number in broken else 'held':<9} {each.number:>2}. {each.text}")
    for violation in found[:10]:
        say(str(violation))
    return not found


def _call(command: str, *arguments: str, **options: Any) -> None:
    call_command(command, *arguments, **{"stdout": io.StringIO(), **options})
