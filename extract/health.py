"""How a service is, by HTTP: whether it lives, whether it is ready, how far it is behind, and its metrics."""

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from banyan.transport.kafka import Link
from banyan.transport.kafka.holder import Holder


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a service at a moment. `problems` are why it is not ready; empty: it is."""

    context: str
    problems: list[str] = field(default_factory=lambda: ["it is starting"])
    numbers: Mapping[str, int] = field(default_factory=dict)
    lags: Mapping[str, int] = field(default_factory=dict)
    consumed: int = 0
    relayed: int = 0
    behind: int = 0
    resent: int = 0


def health_of(host: Holder, link: Link, keys: int, others: Collection[str] = ()) -> Health:
    """Return how a host and its link are; `keys` is how many keys it is to hold, beside those of `others`."""
    held, name = dict(host.keys), host.context.name
    own = len(held.keys() - set(others))
    parked = sorted(key for key, memory in held.items() if memory.parked_because)
    problems = []
    if own < keys:
        problems.append(f"it holds {own} of {keys} keys")
    if parked:
        problems.append(f"keys are stopped until a person has looked at them: {', '.join(parked)}")
    idle = sorted(key for key, each in held.items() if not (each.is_leading or (name, key) in each.marks))
    if idle:
        problems.append(f"it waits for seeds of {len(idle)} keys: `manage.py extract seed {name}`")
    if not link.intake.is_caught_up() or (link.log is not None and not link.log.is_caught_up()):
        problems.append("it has not read Kafka to the end yet")
    return Health(
        context=host.context.name,
        problems=problems,
        numbers={key: memory.number for key, memory in held.items()},
        lags=dict(link.intake.lags()),
        consumed=link.intake.count,
        relayed=link.relay.count,
        behind=link.relay.behind,
        resent=link.intake.resent,
    )


class HealthAddressError(RuntimeError):
    """Nobody can listen at the address that was named; the message says why."""


class HealthServer:
    """Answers /live, /ready, /lag and /metrics at an address, while it is entered."""

    def __init__(self, address: tuple[str, int], context: str) -> None:
        self.look: Callable[[], Health] = lambda: Health(context)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        try:
            self._server = ThreadingHTTPServer(address, self._handler())
        except OSError as problem:
            where = f"{address[0]}:{address[1]}"
            raise HealthAddressError(
                f"Health cannot be answered at {where} ({problem.strerror}): give another by --health"
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port that it answers at."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics, for Prometheus."""
        health = self.look()
        yield GaugeMetricFamily("banyan_ready", "1: it is ready", value=float(not health.problems))
        numbers = GaugeMetricFamily("banyan_log_number", "The last number of a key's log", labels=["key"])
        for key, number in health.numbers.items():
            numbers.add_metric([key], number)
        yield numbers
        lags = GaugeMetricFamily("banyan_kafka_lag", "Records that wait in Kafka for a key", labels=["key"])
        for key, lag in health.lags.items():
            lags.add_metric([key], lag)
        yield lags
        yield GaugeMetricFamily("banyan_relay_behind", "Streams that Kafka does not have whole", value=health.behind)
        yield CounterMetricFamily("banyan_consumed", "Records read from Kafka", value=health.consumed)
        yield CounterMetricFamily("banyan_relayed", "Events that Kafka has acknowledged", value=health.relayed)
        yield CounterMetricFamily("banyan_resends", "Times that senders were asked again", value=health.resent)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body of the answer to a path."""
        match path:
            case "/live":
                return 200, "text/plain", b"ok\n"
            case "/ready":
                problems = self.look().problems
                return (503, "text/plain", ("\n".join(problems) + "\n").encode()) if problems else self.answer("/live")
            case "/lag":
                health = self.look()
                told = {"context": health.context, "lag": sum(health.lags.values()), "keys": dict(health.lags)}
                return 200, "application/json", json.dumps(told).encode()
            case "/metrics":
                return 200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(self._registry)
        return 404, "text/plain", b"/live, /ready, /lag and /metrics are answered here\n"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self.answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing: it is asked every few seconds."""

        return Handler
