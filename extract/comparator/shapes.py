"""What the rows of a context's events are, and how much a difference between two of them weighs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from apps.execution.book_contracts import ResolutionAsked
from apps.execution.contracts import (
    AccountOpened,
    AccountsGated,
    AccountValued,
    CancelsReleased,
    GatesLifted,
    OrdersEnded,
    OrdersFilled,
    OrdersReleased,
    OrdersRequested,
    OrdersUnknown,
    PositionChanged,
)
from apps.feeds.contracts import BarClosed, FeedConfigured, FeedStale, GapDetected, ListenerChanged, RecordQuarantined
from apps.risk.contracts import OrdersApproved, OrdersRefused, TradingStateChanged
from apps.signals.contracts import SetDefined, SetRefused, SetRun, TargetSet
from banyan.messages import Message
from trading.targets import LOTS

Fields = Mapping[str, object]
Weigh = Callable[[Message | None, int, str, Fields, Fields], tuple[float, float]]
"""From an input, an account, an instrument and the fields on both sides: lots and money that differ."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How events of a context are read as rows.

    Events of one family answer the same question, so that a row of one can stand against a row of another. A column in
    `lookups` is an index into another one. `public` are the events that others get: the rest is how a side keeps its
    own state, which another implementation may do otherwise. An event in `listed` has a row for each of its
    `instruments`, which is about the fields named there too; one that is `unfolded` has the rows, by instrument, that
    are made of it there. What sources gave is compared in the events `of_sources`.
    """

    families: Mapping[str, str] = field(default_factory=dict)
    lookups: Mapping[str, str] = field(default_factory=dict)
    public: Sequence[str] = ()
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unfolded: Mapping[str, Callable[[Any], Mapping[str, Fields]]] = field(default_factory=dict)
    of_sources: Sequence[str] = ()
    weigh: Weigh = lambda *_: (0.0, 0.0)


def _weigh_orders(
    cause: Message | None, account: int, instrument: str, one: Fields, other: Fields
) -> tuple[float, float]:
    """Return by how many lots, and how much money, what may be sent differs: what was refused counts as nothing."""
    if not isinstance(cause, OrdersRequested):
        return 0.0, 0.0
    steps = abs(_steps(one) - _steps(other))
    names = [each.id for each in cause.terms]
    if not steps or instrument not in names:
        return 0.0, 0.0
    at = names.index(instrument)
    rows = (cause.account == account) & (cause.instrument == at if cause.instrument.size else at == 0)
    known = cause.step_value_micro.size == cause.account.size and bool(rows.any())
    value_micro = float(cause.step_value_micro[rows][0]) if known else 0.0
    return steps * cause.terms[at].lot_step_e9 / 1e9, steps * value_micro / 1e6


def _weigh_steps(_: Message | None, __: int, instrument: str, one: Fields, other: Fields) -> tuple[float, float]:
    """Return by how many lots, and how much money, orders differ that are asked for or let go."""
    steps = abs(_steps(one) - _steps(other))
    terms: Any = one.get("terms") or other.get("terms") or []
    lot_step_e9 = next((each["lot_step_e9"] for each in terms if each["id"] == instrument), 0)
    value: Any = one.get("step_value_micro") or other.get("step_value_micro") or 0
    return steps * lot_step_e9 / 1e9, steps * value / 1e6


_OF_A_TARGET = (
    "version", "mode", "value", "entry", "price", "limit_price", "stop_loss", "take_profit", "trail", "time_in_force",
    "expires_ns",
)  # fmt: skip


def _targets(told: TargetSet) -> Mapping[str, Fields]:
    """Return the target of each instrument, with what all of them have in common."""
    volatility = ["volatility"] if told.volatility else []
    marks = {each.instrument: [each.bid_ticks, each.ask_ticks] for each in told.marks}
    shared: dict[str, Any] = {"set_version": told.set_version, "decided_at_ns": told.decided_at_ns, "marks": marks}
    return {
        quoted.instrument: {
            **shared,
            "bid_ticks": quoted.bid_ticks,
            "ask_ticks": quoted.ask_ticks,
            "band_e9": told.band_e9,
            **{name: _number(getattr(told, name)[row]) for name in (*_OF_A_TARGET, *volatility)},
        }
        for row, quoted in enumerate(told.quotes)
    }


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, np.integer) else value


def _weigh_targets(_: Message | None, __: int, ___: str, one: Fields, other: Fields) -> tuple[float, float]:
    """Return by how many lots targets differ that are lots; a weight is another size for each account."""
    lots: list[Any] = [each.get("value", 0.0) if each.get("mode") == LOTS else 0.0 for each in (one, other)]
    return abs(lots[0] - lots[1]), 0.0


def _steps(fields: Fields) -> int:
    value = fields.get("steps", 0)
    return value if isinstance(value, int) and "reason" not in fields else 0


SHAPES: Mapping[str, Shape] = {
    "risk": Shape(
        families={OrdersApproved.wire_name: "verdict", OrdersRefused.wire_name: "verdict"},
        lookups={"step_value": "step_values_micro"},
        public=(OrdersApproved.wire_name, OrdersRefused.wire_name, TradingStateChanged.wire_name),
        weigh=_weigh_orders,
    ),
    "execution": Shape(
        public=[
            kind.wire_name
            for kind in (
                OrdersRequested,
                OrdersReleased,
                CancelsReleased,
                OrdersFilled,
                OrdersEnded,
                OrdersUnknown,
                PositionChanged,
                AccountOpened,
                AccountValued,
                AccountsGated,
                GatesLifted,
                ResolutionAsked,
            )
        ],
        weigh=_weigh_steps,
    ),
    "feeds": Shape(
        public=[
            kind.wire_name
            for kind in (BarClosed, FeedConfigured, FeedStale, GapDetected, ListenerChanged, RecordQuarantined)
        ],
        listed={BarClosed.wire_name: ("interval_ns", "closed_at_ns")},
        of_sources=(BarClosed.wire_name,),
    ),
    "signals": Shape(
        public=[kind.wire_name for kind in (TargetSet, SetDefined, SetRefused, SetRun)],
        unfolded={TargetSet.wire_name: _targets},
        weigh=_weigh_targets,
    ),
}
