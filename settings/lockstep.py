"""The live pipeline in lock step, in this process, under a clock that only bars move.

It is the pipeline of `manage.py run`, with its hosts, logs, edge and ledger on the databases that Django is set up for,
and a paper broker that is a process of its own. The bars of a step reach the broker when everything has been done about
the step before, and are matched before any strategy sees them.
"""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from apps.backtest.engine import swap_rates
from apps.backtest.parity import LEVERAGE, Case, Fill, Traded, account_currency, bars_per_year, conversions
from apps.backtest.request import Loaded
from apps.execution.book_contracts import SkipReason, TargetsSkipped
from apps.execution.contracts import (
    ConfigureSet,
    OpenAccount,
    OrdersEnded,
    OrdersFilled,
    ReportKind,
    Subscribe,
)
from apps.execution.edge.at_rest import awaits_answer
from apps.execution.edge.edge import Edge, EdgeSettings
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.paper_steps import PaperSteps
from apps.execution.edge.worker import EdgeWorker
from apps.execution.terms import terms_from
from apps.feeds.adapters.replay import Pace, Past, ReplayAdapter
from apps.feeds.contracts import BAR_COLUMNS, BarClosed
from apps.feeds.live import message_id
from apps.feeds.pipeline import FeedPipeline, FeedSpec
from apps.feeds.records import COLUMNS, from_bars, to_bars
from apps.risk.contracts import OrdersRefused, RefusalReason
from apps.signals.contracts import ChannelSpec, DefineSet, MemberSpec, RunSet, TargetSet
from apps.signals.interface import get_strategy
from banyan.clock import VirtualClock
from banyan.columns import ints
from banyan.databases import scratch
from banyan.host import Delivery, Host, HostSettings, Route, every
from banyan.messages import Message
from banyan.process import own_name
from banyan.store import Store
from banyan.transport import Command, LocalTransport, ask
from settings.roles import HOSTED_CONTEXTS, ROUTES, SENDERS
from settings.warming import rehearse
from trading.bars import Bars
from trading.instruments import Instrument, base_currency
from trading.sessions import session_days

FEED = "lockstep"
SHARD = "00"
WITNESS = "witness"
_NEVER_NS = 2**62
_PATIENCE_SECONDS = 60.0
_DECISIONS = ("feeds", "execution", "risk")
_TOLD = {
    "signals": (TargetSet,),
    "execution": (OrdersFilled, OrdersEnded, TargetsSkipped),
    "risk": (OrdersRefused,),
}


class LockstepError(RuntimeError):
    """The pipeline does not come to rest, or a part of it has gone."""


@contextmanager
def paper_broker(folder: Path) -> Iterator[Path]:
    """Run a paper broker whose time is that of its prices, as a process of its own; yield the address of its socket."""
    command = [sys.executable, "manage.py", "paper_broker", "--folder", str(folder), "--at-next", "--time-of-prices"]
    with subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not process.stdout.readline().startswith("Ready"):
                raise LockstepError("the paper broker does not start")
            yield folder / "socket"
        finally:
            process.terminate()


def trade(cases: Sequence[Case], loaded: Loaded, broker: Path) -> tuple[dict[str, Bars], list[Traded]]:
    """Let accounts trade the cases, each by a set of its own, at the paper broker at `broker`; the databases are empty.

    Return the bars that the feed has let in, and what each account did. Raises LockstepError.
    """
    pipeline = _Pipeline(loaded, broker, len(cases))
    try:
        pipeline.open(cases)
        for given in _steps(loaded):
            pipeline.step(given)
        bars = {name: pipeline.bars_of(name, each.is_quotes) for name, each in loaded.bars.items()}
        return bars, pipeline.traded(cases, bars)
    finally:
        pipeline.close()


def trade_apart(cases: Sequence[Case], loaded: Loaded, folder: Path) -> tuple[dict[str, Bars], list[Traded]]:
    """Do what `trade` does on databases made for it, with a paper broker that has its ledger in `folder`."""
    with scratch((*HOSTED_CONTEXTS, "edge"), f"lockstep_{os.getpid()}"), paper_broker(folder) as broker:
        return trade(cases, loaded, broker)


class _Open:
    """A kill switch that is not there: nobody could throw it in a time that is over."""

    def is_clear(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass


class _Pipeline:
    def __init__(self, loaded: Loaded, broker: Path, accounts: int) -> None:
        rehearse()
        self._loaded = loaded
        self._instruments = instruments = loaded.instruments
        self._terms = {name: terms_from(each) for name, each in instruments.items()}
        self._sets = [f"set-{number}" for number in range(1, accounts + 1)]
        self._clock = VirtualClock(min(int(bars.time[0]) for bars in loaded.bars.values()))
        self._transport = LocalTransport(SENDERS)
        self._hosts = {name: self._host(name) for name in HOSTED_CONTEXTS}
        self._cases: Sequence[Case] = ()
        self._steps = PaperSteps(broker, self._terms, self._day_of, self._swap)
        self._transport.tap(self._remember_bars)
        self._transport.tap(self._steps.listen)
        self._transport.attach(WITNESS, self, [SHARD])
        edge_settings = EdgeSettings(reconcile_ns=_NEVER_NS, answer_ns_max=_NEVER_NS)
        self._edge = Edge(
            Ledger(), [PaperBroker(broker)], _Open(), self._clock, owner=own_name(), settings=edge_settings
        )
        self._edge_worker = EdgeWorker(self._edge, [SHARD], self._transport)
        self._bars: list[BarClosed] = []
        self._traded = [Traded() for _ in range(accounts)]
        self._asked = 0

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Remember what is told: this is the receiver WITNESS."""
        for delivery in deliveries:
            message = delivery.message
            assert message is not None
            match message:
                case OrdersFilled():
                    self._remember_fills(message)
                case TargetSet():
                    self._remember_target(message)
                case OrdersEnded() | TargetsSkipped() | OrdersRefused():
                    self._remember_refusals(message, delivery.envelope.event_time_ns)

    def open(self, cases: Sequence[Case]) -> None:
        """Open accounts and sets, and wait until they may trade."""
        self._cases = cases
        charged = [any(swap_rates(case.backtest_options())) for case in cases]
        self._steps.accounts = ints([number for number, is_charged in enumerate(charged, 1) if is_charged])
        for name, host in self._hosts.items():
            host.open([FEED] if name == "feeds" else self._sets if name == "signals" else [SHARD])
        self._edge.open([SHARD])
        for number, (name, case) in enumerate(zip(self._sets, cases, strict=True), 1):
            self._ask("signals", name, _set_of(name, case, self._loaded))
            self._ask("signals", name, RunSet(set=name, is_running=True))
            for message in self._account(number, name, case):
                self._ask("execution", SHARD, message)
        self._settle("signals", *_DECISIONS)
        state = self._hosts["execution"].keys[SHARD].state
        until = time.monotonic() + _PATIENCE_SECONDS
        while not state.accounts.columns["ready"].all():
            self._wait(until)
            if self._settle(*_DECISIONS):
                until = time.monotonic() + _PATIENCE_SECONDS

    def step(self, given: Sequence[Message]) -> None:
        """Take what closed at one time: fills first, then strategies, then what both led to."""
        closed_at_ns = max(getattr(each, "closed_at_ns", 0) for each in given)
        self._pass_time(closed_at_ns)
        self._clock.move_to(closed_at_ns)
        for message in given:
            self._ask("feeds", FEED, message)
        self._settle(*_DECISIONS)
        self._settle("signals", *_DECISIONS)

    def bars_of(self, name: str, is_quotes: bool) -> Bars:
        """Return the bars of an instrument that the feed has let in."""
        rows = [(bars, bars.instruments.index(name)) for bars in self._bars if name in bars.instruments]
        tick_e9 = self._terms[name].tick_e9
        table = np.array([[getattr(bars, column)[at] for column in BAR_COLUMNS] for bars, at in rows], np.int64).T
        prices = dict(zip(BAR_COLUMNS, table * tick_e9 / 1e9, strict=True))
        volume = np.where(table[-1] < 0, np.nan, table[-1] / 1e6)
        sides = ("bid", "ask") if is_quotes else ("bid",)
        columns = [prices[f"{side}_{point}"] for side in sides for point in ("open", "high", "low", "close")]
        interval_ns = rows[0][0].interval_ns
        opened = np.array([bars.closed_at_ns - interval_ns for bars, _ in rows], np.int64)
        kind = next(kind for kind in COLUMNS if len(COLUMNS[kind]) == len(columns) + 1)
        return to_bars(kind, opened, np.array([*columns, volume]), interval_ns)

    def traded(self, cases: Sequence[Case], bars: Mapping[str, Bars]) -> list[Traded]:
        """Return what each account did, with what it holds marked at the last closes."""
        state = self._hosts["execution"].keys[SHARD].state
        numbers = ints(range(1, len(self._sets) + 1))
        at_broker = self._steps.cash_micro(numbers).tolist()
        for number, (case, side) in enumerate(zip(cases, self._traded, strict=True), 1):
            rates = conversions(case, bars, self._instruments)
            row = state.row_of[number]
            side.cash_micro = int(state.accounts.rows[row].balance_micro)
            if side.cash_micro != at_broker[number - 1]:
                raise LockstepError(
                    f"account {number} has {side.cash_micro / 1e6} here and {at_broker[number - 1] / 1e6} at its broker"
                )
            equity = side.cash_micro / 1e6
            for cell in state.cells.rows[state.cells.rows["account"] == row]:
                name = state.instruments.names[cell["instrument"]]
                kind = self._instruments[name]
                lots = int(cell["held"]) * kind.lot_step
                rate = float(rates[kind.currency].close[-1]) if kind.currency in rates else 1.0
                equity += lots * (float(bars[name].close[-1]) * (kind.contract_size * rate))
            side.equity_micro = round(equity * 1e6)
        return self._traded

    def close(self) -> None:
        """Give everything back."""
        for host in self._hosts.values():
            host.close()
        self._edge_worker.close()
        self._steps.close()
        self._transport.close()

    def _day_of(self, time_ns: int) -> int:
        """Return the session day of a time by the first instrument, as in a backtest."""
        first = next(iter(self._instruments.values()))
        return int(session_days(np.array([time_ns], np.int64), first)[0])

    def _swap(self, account: int, name: str, steps: int, price: float, days: int) -> int:
        """Return what an account pays for holding an instrument, in micro units, as a backtest charges it."""
        rates, kind = swap_rates(self._cases[account - 1].backtest_options()), self._instruments[name]
        lots = abs(steps) * kind.lot_step
        return round(lots * price * kind.contract_size * rates[0 if steps > 0 else 1] * days * 1e6)

    def _host(self, name: str) -> Host[Any]:
        routes = [*ROUTES[name], *(Route(kind, WITNESS, every([SHARD])) for kind in _TOLD.get(name, ()))]
        if name == "feeds":
            routes = [Route(BarClosed, "signals", every(self._sets))]
        elif name == "signals":
            routes = [Route(TargetSet, receiver, every([SHARD])) for receiver in ("execution", WITNESS)]
        host: Host[Any] = Host(
            HOSTED_CONTEXTS[name], Store(name), routes, self._clock, owner=own_name(),
            settings=HostSettings(always_decode=True),
        )  # fmt: skip
        self._transport.join(host)
        return host

    def _account(self, number: int, name: str, case: Case) -> list[Message]:
        options = case.backtest_options()
        sizing, _, size = case.sizing().partition(":")
        return [
            OpenAccount(
                account=f"account-{number}",
                number=number,
                client="lockstep",
                broker="paper",
                currency=account_currency(case, self._instruments),
                deposit_micro=round(options.cash * 1e6),
                leverage_e9=round(LEVERAGE * 1e9),
                hedging=options.accounting == "hedging",
                fee_rate_e9=round(options.fee_bps * 1e5),
                via=case.via,
            ),
            ConfigureSet(
                set=name,
                terms=[self._terms[each] for each in case.channels],
                conversions=[self._terms[each] for each in _pairs_beside(case, self._instruments)],
                sizing=sizing,
                sizing_number_e9=round(float(size or 1.0) * 1e9),
            ),
            Subscribe(account=number, set=name),
        ]

    def _ask(self, context: str, key: str, message: Message) -> None:
        self._asked += 1
        is_data = context == "feeds"
        command = Command(key, message, message_id(message) if is_data else f"lockstep-{self._asked}")
        host = self._hosts[context]
        ask(host.store, [command], self._clock.wall_ns())
        host.look_for([("", key)])

    def _settle(self, *contexts: str) -> bool:
        """Let these contexts and the edge work until nothing is left to be done and the broker has answered.

        Tell whether anything was done.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        hosts = [self._hosts[name] for name in contexts]
        has_worked = False
        while True:
            did = [host.step() for host in hosts]
            if self._edge_worker.step() or any(did):
                has_worked, until = True, time.monotonic() + _PATIENCE_SECONDS
            elif self._awaits_answer():
                self._wait(until)
            else:
                return has_worked

    def _wait(self, until: float) -> None:
        if time.monotonic() > until:
            raise LockstepError(f"nothing has happened for {_PATIENCE_SECONDS:g} s and something is not answered")
        select.select(self._edge.filenos(), [], [], 0.05)

    def _awaits_answer(self) -> bool:
        if any(awaits_answer(shard.memory) for shard in self._edge.shards.values()):
            return True
        return any(link.is_logging_in or link.statement for link in self._edge.links.values())

    def _pass_time(self, until_ns: int) -> None:
        """Let what comes due before a time happen."""
        while True:
            dues = [due for host in self._hosts.values() if (due := host.next_due_ns()) is not None]
            if min(dues, default=until_ns) >= until_ns:
                return
            self._clock.move_to(min(dues))
            self._settle("signals", *_DECISIONS)

    def _remember_bars(self, deliveries: list[Delivery]) -> None:
        self._bars += {
            each.envelope.number: each.message for each in deliveries if isinstance(each.message, BarClosed)
        }.values()

    def _remember_fills(self, filled: OrdersFilled) -> None:
        for at, number in enumerate(filled.account.tolist()):
            index = int(filled.instrument[at]) if filled.instrument.size else 0
            fee = int(filled.fee_micro[at]) if filled.fee_micro.size else 0
            fill = Fill(
                int(filled.filled_at_ns[at]), filled.instruments[index], int(filled.steps[at]),
                int(filled.price_e9[at]), fee,
            )  # fmt: skip
            self._traded[number - 1].fills.append(fill)

    def _remember_target(self, target: TargetSet) -> None:
        side = self._traded[self._sets.index(target.set)]
        for at, quote in enumerate(target.quotes):
            text = f"wants {target.value[at]:g} of {quote.instrument} at {quote.bid_ticks}/{quote.ask_ticks} ticks"
            side.told.append((target.decided_at_ns, text))

    def _remember_refusals(self, refused: OrdersEnded | TargetsSkipped | OrdersRefused, at_ns: int) -> None:
        for at, number in enumerate(refused.account.tolist()):
            name = refused.instruments[int(refused.instrument[at]) if refused.instrument.size else 0]
            match refused:
                case OrdersEnded():
                    text = f"the order for {name} ended: {ReportKind(int(refused.kind[at])).name}"
                case TargetsSkipped():
                    text = f"no order for {name}: {SkipReason(int(refused.reason[at])).name}"
                case OrdersRefused():
                    text = f"the order for {name} was refused: {RefusalReason(int(refused.reason[at])).name}"
            self._traded[number - 1].told.append((at_ns or self._clock.wall_ns(), text))


def _steps(loaded: Loaded) -> Iterator[list[Message]]:
    """Yield what a feed is told, one time after the other."""
    past = {}
    for name, bars in loaded.bars.items():
        kind, values = from_bars(bars)
        past[name] = Past(kind, bars.interval, bars.time, values)
    adapter = ReplayAdapter(lambda _: past, VirtualClock(), Pace(None, lambda: True))
    pipeline = FeedPipeline(FeedSpec(FEED, loaded.instruments, wait_ns=0))
    pipeline.begin(adapter.open(0))
    while (reading := adapter.read(0.0)) is not None:
        if told := pipeline.take(reading, 0):
            yield told
    if told := pipeline.refused():
        yield told


def _set_of(name: str, case: Case, loaded: Loaded) -> DefineSet:
    strategy = get_strategy(case.strategy)
    counts = bars_per_year(case, loaded)
    channels, conversions = (
        [
            ChannelSpec(
                instrument=each,
                interval_ns=loaded.bars[each].interval,
                tick_e9=round(loaded.instruments[each].tick_size * 1e9),
                bars_per_year=counts.get(each, 0.0),
            )
            for each in names
        ]
        for names in (case.channels, _pairs_beside(case, loaded.instruments))
    )
    member = MemberSpec(
        strategy=case.strategy, code_hash=strategy.code_hash, parameters=dict(case.params), channels=channels
    )
    return DefineSet(set=name, members=[member], conversions=conversions)


def _pairs_beside(case: Case, instruments: Mapping[str, Instrument]) -> list[str]:
    """Return the pairs of currencies that a case does not trade, for their rates."""
    return [
        name for name, each in instruments.items() if name not in case.channels and base_currency(name, each.currency)
    ]
