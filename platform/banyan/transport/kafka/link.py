"""What joins a host to the contexts whose side is reached through Kafka."""

from collections.abc import Sequence
from typing import Any

from banyan.host import Host, Wanted
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.transport.kafka.intake import Intake
from banyan.transport.kafka.relay import Relay
from banyan.transport.local import LocalTransport


class Link:
    """Joins `host`, which `transport` carries for already, to `receivers` and `senders` by Kafka.

    `workers` are to run in the host's process.
    """

    def __init__(
        self, host: Host[Any], transport: LocalTransport, cluster: Cluster, topics: Topics, *,
        receivers: Sequence[str], senders: Sequence[str], side: str,
    ) -> None:  # fmt: skip
        self.relay = Relay(host.context.name, receivers, cluster, topics, lambda: list(host.keys))
        self.intake = Intake(host, senders, cluster, topics, side)
        for receiver in receivers:
            transport.attach(receiver, self.relay, None)
        self.workers: list[Relay | Intake] = [*([self.relay] if receivers else []), *([self.intake] if senders else [])]
        fetch = host.fetch

        def fetch_and_look(wanted: Wanted) -> Any:
            self.intake.look(wanted)
            return fetch(wanted)

        host.fetch = fetch_and_look
