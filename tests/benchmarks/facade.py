"""What the façade adds to a message while everything is in the app: paired, the same hand-over with and without it."""

import time
from collections.abc import Iterable, Iterator

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from banyan.codec import Envelope
from banyan.facade.crossing import Crossing
from banyan.host import Delivery
from banyan.transport import LocalTransport
from tests.benchmarks.measure import Row
from tests.benchmarks.report import Table
from tests.benchmarks.works import OURS, Must


class Sink:
    """Takes everything."""

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take it."""


class _Context:
    name = "execution"


class _Host:
    context = _Context


def measure(*, quick: bool = False) -> Iterator[Table]:
    """Yield the table of what one message pays."""
    pairs, messages = (5, 2_000) if quick else (41, 50_000)
    direct, through = _transport(with_facade=False), _transport(with_facade=True)
    envelope = Envelope(name="bench.sent.v1", id="1", key="00", sender="execution", sender_key="00", number=4096)
    deliveries = [Delivery("risk", envelope, b"{}")]
    added = []
    for _ in range(pairs):
        without = _seconds(direct, deliveries, messages)
        added.append(max(0.0, (_seconds(through, deliveries, messages) - without) / messages))
    must = () if quick else (Must("seconds", 2e-6),)
    title = "what the façade adds to a message between contexts in the app"
    yield Table("facade", title, "s", [Row(OURS, added, f"{pairs} pairs of {messages:,} messages")], must)


def _transport(*, with_facade: bool) -> LocalTransport:
    made = LocalTransport({})
    made.attach("risk", Sink(), None)
    if with_facade:
        made.tap(Crossing(_Host, ["risk"], ["risk"], dict, lambda *_: None).listen)  # type: ignore[arg-type,return-value]
    return made


def _seconds(transport: LocalTransport, deliveries: list[Delivery], messages: int) -> float:
    began = time.perf_counter()
    for _ in range(messages):
        transport.hand_on(deliveries)
    return time.perf_counter() - began
