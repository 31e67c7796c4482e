"""A shard under test: every input and event goes through the codec, and a second state is rebuilt from events alone."""

from dataclasses import dataclass, field
from typing import Any

from apps.execution.book_contracts import SettingLevel, SkipReason, TargetsSkipped
from apps.execution.contracts import (
    AccountsReconciled,
    ConfigureSet,
    InstrumentTerms,
    OpenAccount,
    OrdersReleased,
    OrdersReported,
    OrdersRequested,
    ReportKind,
    Subscribe,
)
from apps.execution.core import EXECUTION
from apps.execution.state import ShardState, to_snapshot
from apps.risk.contracts import OrdersApproved, OrdersRefused
from apps.signals.contracts import Quoted, TargetSet
from banyan.codec import decode_message, encode_message
from banyan.columns import ints
from banyan.messages import Message, Received, TimerDue, TimerSet

EURUSD = InstrumentTerms(
    id="SIM:EURUSD",
    currency="USD",
    tick_e9=10_000,
    lot_step_e9=10_000_000,
    lot_min_steps=1,
    contract_e9=100_000 * 10**9,
)
GOLD = InstrumentTerms(
    id="SIM:GOLD", currency="USD", tick_e9=10_000_000, lot_step_e9=1_000_000_000, lot_min_steps=1, contract_e9=10**9
)  # fmt: skip
QUOTES = {EURUSD.id: (112_340, 112_342), GOLD.id: (120_000, 120_050)}


def passed(message: Message) -> Message:
    """Return a message as it arrives after its way over the wire."""
    return decode_message(message.wire_name, encode_message(message))


@dataclass
class Desk:
    """Feeds messages to a shard, runs its timers, and keeps what it gave."""

    state: ShardState = field(default_factory=lambda: ShardState("0"))
    rebuilt: ShardState = field(default_factory=lambda: ShardState("0"))
    timers: list[str] = field(default_factory=list)
    events: list[Message] = field(default_factory=list)
    now_ns: int = 1_000
    count: int = 0

    def feed(self, message: Message, *, run_timers: bool = True) -> list[Message]:
        """Decide on a message, evolve, and run the timers that come due; return all events."""
        self.now_ns += 1_000
        self.count += 1
        received = Received(
            message=passed(message), id=str(self.count), key="0", received_at_ns=self.now_ns, event_time_ns=self.now_ns
        )
        before = to_snapshot(self.state)
        given = list(EXECUTION.decide(self.state, received))
        assert to_snapshot(self.state) == before, "decide has changed the state"
        for event in given:
            self.state = EXECUTION.evolve(self.state, event)
            self.rebuilt = EXECUTION.evolve(self.rebuilt, passed(event))
        assert to_snapshot(self.state) == to_snapshot(self.rebuilt), "events alone give another state"
        self.timers += [event.name for event in given if isinstance(event, TimerSet)]
        self.events += given
        return given + (self.run_timers() if run_timers else [])

    def run_timers(self) -> list[Message]:
        """Let all timers come due."""
        given: list[Message] = []
        while self.timers:
            name = self.timers.pop()
            self.timers = [each for each in self.timers if each != name]
            given += self.feed(TimerDue(name=name, due_ns=self.now_ns), run_timers=False)
        return given

    # ---- what people do ----

    def open(self, *numbers: int, deposit: int = 10_000, ready: bool = True, **more: Any) -> None:
        """Open accounts, reconciled with a broker who holds nothing of theirs."""
        for number in numbers:
            given = {"client": "c", "broker": "paper", "currency": "USD", "leverage_e9": 30 * 10**9, **more}
            self.feed(OpenAccount(account=f"A{number}", number=number, deposit_micro=deposit * 10**6, **given))
        if ready:
            self.reconcile(*numbers)

    def reconcile(self, *numbers: int, **held: dict[int, int]) -> list[Message]:
        """Tell what brokers hold: by instrument, steps by account."""
        rows = [(number, name, steps) for name, each in held.items() for number, steps in each.items()]
        names = sorted({name for _, name, _ in rows})
        return self.feed(
            AccountsReconciled(
                instruments=["SIM:" + name for name in names],
                account=ints([number for number, _, _ in rows]),
                instrument=ints([names.index(name) for _, name, _ in rows]),
                steps=ints([steps for _, _, steps in rows]),
                accounts=ints(list(numbers)),
            )
        )

    def configure(self, name: str, *terms: InstrumentTerms, **more: Any) -> list[Message]:
        """Configure a set."""
        return self.feed(ConfigureSet(set=name, terms=list(terms or (EURUSD,)), **more))

    def subscribe(self, name: str, *numbers: int, **more: Any) -> list[Message]:
        """Subscribe accounts to a set."""
        return [event for each in numbers for event in self.feed(Subscribe(account=each, set=name, **more))]

    def target(self, name: str, version: int, **wanted: float) -> list[Message]:
        """Feed lots wanted by instrument, such as EURUSD=0.1."""
        return self.feed(target(name, version, {"SIM:" + key: value for key, value in wanted.items()}))

    # ---- what others do ----

    def approve(self, request: OrdersRequested) -> list[Message]:
        """Let risk approve all of a request."""
        return self.feed(
            OrdersApproved(
                instruments=[each.id for each in request.terms],
                account=request.account,
                instrument=_filled_in(request.instrument, request.account),
                decision=request.decision,
                steps=request.steps,
            )
        )

    def refuse(self, request: OrdersRequested, reason: int = 5) -> list[Message]:
        """Let risk refuse all of a request."""
        same = ints([reason] * request.account.size)
        return self.feed(
            OrdersRefused(
                instruments=[each.id for each in request.terms],
                account=request.account,
                instrument=_filled_in(request.instrument, request.account),
                decision=request.decision,
                reason=same,
                level=same,
                bound=same,
                actual=same,
            )
        )

    def report(self, *rows: tuple[Any, ...]) -> list[Message]:
        """Feed reports: (kind, account, instrument, decision[, steps, price_e9, fee_micro])."""
        padded = [(*row, 0, 0, 0)[:7] for row in rows]
        columns = [ints([row[at] for row in padded]) for at in (1, 3, 0, 4, 5, 6)]
        names = sorted({row[2] for row in padded})
        return self.feed(
            OrdersReported(
                instruments=names,
                account=columns[0],
                instrument=ints([names.index(row[2]) for row in padded]),
                decision=columns[1],
                kind=columns[2],
                steps=columns[3],
                price_e9=columns[4],
                fee_micro=columns[5],
                at_ns=ints([self.now_ns] * len(rows)),
                execution_id=[f"x{self.count}-{at}" for at in range(len(rows))],
            )
        )

    def fill(self, released: OrdersReleased, price_ticks: dict[str, int] | None = None, fee: int = 0) -> list[Message]:
        """Let the broker fill all of what was released, at the quote or at given prices."""
        rows = []
        instrument = _filled_in(released.instrument, released.account)
        for at in range(released.account.size):
            terms = released.terms[instrument[at]]
            bid, ask = QUOTES[terms.id]
            steps = int(released.steps[at])
            ticks = (price_ticks or {}).get(terms.id, ask if steps > 0 else bid)
            row = (ReportKind.FILLED, released.account[at], terms.id, released.decision[at], steps)
            rows.append((*row, ticks * terms.tick_e9, fee))
        return self.report(*rows)

    def trade(self, given: list[Message]) -> list[Message]:
        """Approve and fill whatever was requested, and what that gives, until nothing more is."""
        after = list(given)
        for request in of_type(given, OrdersRequested):
            for released in of_type(self.approve(request), OrdersReleased):
                after += self.trade(self.fill(released))
        return after

    # ---- what can be seen ----

    def line(self, account: int, instrument: str, book: str) -> Any:
        """The record of a book's line."""
        state = self.state
        cell = state.cell_rows[state.instruments.known(instrument), state.row_of[account]]
        return state.lines.rows[state.line_of(int(cell), state.books.known(book))]

    def held(self, account: int, book: str, instrument: str = EURUSD.id) -> int:
        """Lot steps that a book holds."""
        return int(self.line(account, instrument, book).held)

    def balance(self, account: int) -> int:
        """An account's cash in micro units."""
        return int(self.state.accounts.rows[self.state.row_of[account]].balance_micro)


def target(name: str, version: int, wanted: dict[str, float], **more: Any) -> TargetSet:
    """Return a target of lots at market, at the quotes of QUOTES."""
    count = len(wanted)
    none: list[float | None] = [None] * count
    given: dict[str, Any] = {
        "mode": ints([1] * count), "entry": ints([0] * count), "price": none, "limit_price": none, "stop_loss": none,
        "take_profit": none, "trail": none, "time_in_force": ints([0] * count), "expires_ns": ints([0] * count), **more,
    }  # fmt: skip
    quotes = [Quoted(instrument=key, bid_ticks=QUOTES[key][0], ask_ticks=QUOTES[key][1]) for key in wanted]
    return TargetSet(
        set=name, set_version=1, decided_at_ns=1_000, quotes=quotes, version=ints([version] * count),
        value=list(wanted.values()), **given,
    )  # fmt: skip


def of_type(events: list[Message], kind: type[Any]) -> list[Any]:
    """The events of one type."""
    return [event for event in events if isinstance(event, kind)]


def only(events: list[Message], kind: type[Any]) -> Any:
    """The one event of a type."""
    (found,) = of_type(events, kind)
    return found


def skip(events: list[Message]) -> tuple[SkipReason, SettingLevel]:
    """Why, and by which level's setting, the one row that was asked for got no order."""
    skipped = only(events, TargetsSkipped)
    assert not of_type(events, OrdersRequested)
    return SkipReason(skipped.reason[0]), SettingLevel(skipped.level[0] if skipped.level.size else 0)


def _filled_in(column: Any, like: Any) -> Any:
    return column if column.size else ints([0] * like.size)
