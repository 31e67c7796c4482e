"""How the programs of this system reach a Kafka cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from banyan.kafka.running import KafkaError
from banyan.kafka.server import KafkaServer

_EXAMPLE = "KAFKA_BOOTSTRAP=kafka-1.example.com:9092"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka cluster, and the part of it that is ours: topics whose names begin with `environment` and a dot.

    `bootstrap` names brokers, "" the development server, where there is one. `security` holds librdkafka's options.
    `copies` is on how many brokers each partition is kept.
    """

    environment: str
    bootstrap: str = ""
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    server: KafkaServer | None = None
    copies: int = 1

    def address(self) -> str:
        """Return brokers to begin with, as `host:port,…`. Raises KafkaError where there is none."""
        if self.bootstrap:
            return self.bootstrap
        address = self.server.address() if self.server is not None else None
        if address is None:
            how = "Start one with `make kafka`, or name yours" if self.server is not None else "Name one"
            raise KafkaError(f"There is no Kafka cluster. {how}: {_EXAMPLE}")
        return address

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the configuration of a librdkafka client; `more` are options with underscores for dots."""
        return {
            "bootstrap.servers": self.address(),
            "client.id": "banyan",
            "log_level": 2,  # what matters comes to the client's own callbacks
            **self.security,
            **{name.replace("_", "."): value for name, value in more.items()},
        }
