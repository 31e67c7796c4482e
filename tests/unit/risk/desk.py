"""A shard of risk that is driven by hand: every message passes the codec, a second state follows the events alone."""

import numpy as np

from apps.execution.contracts import (
    AccountOpened,
    AccountValued,
    InstrumentTerms,
    OrdersEnded,
    OrdersFilled,
    OrdersRequested,
    PositionChanged,
)
from apps.risk.contracts import Level, OrdersApproved, OrdersRefused, RefusalReason
from apps.risk.core import RISK
from banyan.codec import decode_message, encode_message
from banyan.columns import ints
from banyan.messages import Message, Received

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONDAY = 19_723 * DAY  # 2024-01-01
UNIT = 1_000_000
E9 = 1_000_000_000


def terms(instrument="EURUSD", margin_e9=0):
    return InstrumentTerms(
        id=instrument, currency="USD", tick_e9=10_000, lot_step_e9=10_000_000, lot_min_steps=1,
        contract_e9=100_000 * E9, margin_e9=margin_e9,
    )  # fmt: skip


def coded(message: Message) -> Message:
    return decode_message(message.wire_name, encode_message(message))


class Desk:
    """One shard. `now` is the event time and the time of receipt of what is given."""

    def __init__(self):
        self.state, self.follower = RISK.new_state("00"), RISK.new_state("00")
        self.now = MONDAY + 12 * HOUR
        self.decision = 0

    def give(self, message: Message, received_at_ns: int | None = None) -> list[Message]:
        received = Received(
            message=coded(message), id="x", key="00", event_time_ns=self.now,
            received_at_ns=self.now if received_at_ns is None else received_at_ns,
        )  # fmt: skip
        before = RISK.to_snapshot(self.state)
        events = [coded(event) for event in RISK.decide(self.state, received)]
        assert RISK.to_snapshot(self.state) == before, "decide has changed the state"
        for event in events:
            self.state, self.follower = RISK.evolve(self.state, event), RISK.evolve(self.follower, event)
        assert RISK.to_snapshot(self.follower) == RISK.to_snapshot(self.state)
        return events

    def restart(self):
        """Go on from a snapshot."""
        written = RISK.to_snapshot(self.state)
        self.state = RISK.from_snapshot("00", RISK.snapshot_version, written)
        assert RISK.to_snapshot(self.state) == written

    def open(self, number=1, balance=1_000, leverage=1.0, zone="UTC"):
        return self.give(
            AccountOpened(
                account=f"a{number}", number=number, client="c", broker="paper", currency="USD",
                leverage_e9=round(leverage * E9), hedging=False, time_zone=zone, balance_micro=balance * UNIT,
            )
        )  # fmt: skip

    def ask(self, *steps, account=1, instrument="EURUSD", value=UNIT, margin_e9=0, quote=(100, 102), of="s", **more):
        """Ask for orders of an account, numbered on; return all events."""
        decisions = list(range(self.decision + 1, self.decision + 1 + len(steps)))
        self.decision += len(steps)
        columns = {
            "decision": decisions, "account": [account] * len(steps), "step_value_micro": [value] * len(steps),
        } | {name: column for name, column in more.items() if isinstance(column, list)}  # fmt: skip
        message = OrdersRequested(
            set=of, decided_at_ns=more.get("decided_at_ns", self.now), terms=[terms(instrument, margin_e9)],
            bid_ticks=ints([quote[0]]), ask_ticks=ints([quote[1]]), instrument=ints(), steps=ints(steps),
            books=columns.pop("books", []), **{name: ints(column) for name, column in columns.items()},
        )  # fmt: skip
        return self.give(message, more.get("received_at_ns"))

    def fill(self, steps, left=0, decision=None, account=1, instrument="EURUSD"):
        row = ints([self.decision if decision is None else decision])
        return self.give(filled([instrument], ints([account]), ints(), row, ints([steps]), ints([left])))

    def end(self, decision=None, account=1, instrument="EURUSD", left=1):
        row = ints([self.decision if decision is None else decision])
        return self.give(
            OrdersEnded(
                instruments=[instrument], account=ints([account]), instrument=ints(), decision=row,
                left_steps=ints([left]), kind=ints(), code=ints(),
            )
        )  # fmt: skip

    def hold(self, steps, account=1, instrument="EURUSD"):
        return self.give(
            PositionChanged(instruments=[instrument], account=ints([account]), instrument=ints(), steps=ints([steps]))
        )

    def value(self, equity, balance=None, account=1, gross=0, net=0, margin=0, paid_in=0):
        amounts = {"balance": equity if balance is None else balance, "equity": equity, "gross": gross, "net": net,
                   "margin": margin, "paid_in": paid_in}  # fmt: skip
        columns = {f"{name}_micro": ints([amount * UNIT]) for name, amount in amounts.items()}
        return self.give(AccountValued(valued_at_ns=self.now, account=ints([account]), **columns))

    def reserved(self, account=1):
        """Return (gross, long, short, margin) that an account's open orders reserve, in micro."""
        row = self.state.accounts.rows[self.state.rows_of(ints([account]))[0]]
        return tuple(int(row[f"reserved_{name}"]) for name in ("gross", "long", "short", "margin"))


def filled(instruments, account, instrument, decision, steps, left):
    known = {
        "instruments": instruments, "account": account, "instrument": instrument, "decision": decision, "steps": steps,
        "left_steps": left, "execution_id": [],
    }  # fmt: skip
    others = {name: ints() for name in OrdersFilled.__struct_fields__ if name not in known}
    return OrdersFilled(**known, **others)


def verdicts(events):
    """Return (reason, level, bound, actual) of each refusal, and the number of approved orders."""
    refused, approved = [], 0
    for event in events:
        if isinstance(event, OrdersApproved):
            approved += event.account.size
        if isinstance(event, OrdersRefused):
            count = event.account.size
            columns = [
                np.zeros(count, int) if column.size == 0 else column
                for column in (event.reason, event.level, event.bound, event.actual)
            ]
            refused += [
                (RefusalReason(reason), Level(level), bound, actual)
                for reason, level, bound, actual in np.stack(columns, axis=1).tolist()
            ]
    return refused, approved


def is_approved(events):
    return verdicts(events)[0] == [] and verdicts(events)[1] > 0


def refusal(events):
    """Return the one refusal that there is."""
    ((refused,), approved) = verdicts(events)
    assert approved == 0
    return refused
