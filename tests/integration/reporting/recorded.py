"""A desk whose inputs and events are kept as the records of a log, as a host would have written them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.execution.contracts import InstrumentTerms, OrdersReleased, OrdersRequested, OrdersSent
from apps.feeds.contracts import BarClosed
from apps.signals.contracts import TargetSet
from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.columns import ints
from banyan.host.delivery import join_events
from banyan.messages import Message
from banyan.store import Step
from tests.unit.execution.desk import EURUSD, GOLD, QUOTES, Desk, of_type

SHARD = "0"
HOUR_NS = 3_600 * 10**9
TERMS = {each.id: each for each in (EURUSD, GOLD)}


class MemoryLog:
    """Logs of a context, in memory."""

    def __init__(self, name: str, *, is_gapless: bool = True) -> None:
        self.name = name
        self.is_gapless = is_gapless
        self.kept: dict[str, list[Step]] = {}

    def append(self, key: str, at_ns: int, message: Message, events: Iterable[Message], *, sent_at_ns: int = 0) -> None:
        steps = self.kept.setdefault(key, [])
        number = len(steps) + 1
        envelope = Envelope(name=message.wire_name, id=f"{key}-{number}", key=key, sent_at_ns=sent_at_ns or at_ns)
        joined = join_events([(event.wire_name, encode_message(event)) for event in events])
        steps.append(Step(key, number, at_ns, encode_envelope(envelope), encode_message(message), joined))

    def heads(self) -> Mapping[str, int]:
        return {key: steps[-1].number for key, steps in self.kept.items() if steps}

    def first(self, key: str) -> int:
        return self.kept[key][0].number

    def steps(self, key: str, after: int, upto: int) -> Iterable[Step]:
        return [step for step in self.kept[key] if after < step.number <= upto]

    def close(self) -> None:
        """There is nothing to close."""


@dataclass
class RecordedDesk(Desk):
    """A desk that keeps the logs of everybody around it."""

    execution: MemoryLog = field(default_factory=lambda: MemoryLog("execution"))
    signals: MemoryLog = field(default_factory=lambda: MemoryLog("signals"))
    feeds: MemoryLog = field(default_factory=lambda: MemoryLog("feeds"))
    edge: MemoryLog = field(default_factory=lambda: MemoryLog("edge", is_gapless=False))
    now_ns: int = 1_772_409_600 * 10**9  # 2026-03-02 00:00 UTC

    @property
    def logs(self) -> list[MemoryLog]:
        return [self.feeds, self.signals, self.execution, self.edge]

    def feed(self, message: Message, *, run_timers: bool = True) -> list[Message]:
        if isinstance(message, TargetSet):
            self.signals.append(message.set, self.now_ns, message, [message])
        given_before = len(self.events)
        sent_at_ns = self.now_ns
        super().feed(message, run_timers=False)
        given = self.events[given_before:]
        self.execution.append(SHARD, self.now_ns, message, given, sent_at_ns=sent_at_ns)
        for released in of_type(given, OrdersReleased):
            self.edge.append(SHARD, self.now_ns + 100, released, [self._sent(released)])
        return list(given) + (self.run_timers() if run_timers else [])

    def _sent(self, released: OrdersReleased) -> OrdersSent:
        return OrdersSent(
            instruments=[each.id for each in released.terms],
            account=released.account,
            instrument=released.instrument,
            decision=released.decision,
            at_ns=self.now_ns + 100,
        )

    def close_bar(self, instrument: InstrumentTerms = EURUSD, bid: int = 0, ask: int = 0) -> None:
        """Let a bar close, now."""
        bid, ask = bid or QUOTES[instrument.id][0], ask or QUOTES[instrument.id][1]
        prices: dict[str, Any] = {
            f"{side}_{name}": ints([price])
            for side, price in (("bid", bid), ("ask", ask))
            for name in ("open", "high", "low", "close")
        }
        bar = BarClosed(
            feed="SIM", interval_ns=HOUR_NS, closed_at_ns=self.now_ns, instruments=[instrument.id], revision=ints([0]),
            volume_e6=ints([-1]), **prices,
        )  # fmt: skip
        self.feeds.append("SIM", self.now_ns, bar, [bar])

    def requested(self, given: list[Message]) -> OrdersRequested:
        (request,) = of_type(given, OrdersRequested)
        return request
