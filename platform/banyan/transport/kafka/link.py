"""What joins a host to what is reached through Kafka: other contexts' sides, and the other side of its own."""

import time
from collections.abc import Sequence

from banyan.host import Wanted
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.transport.kafka.compared import Verdicts
from banyan.transport.kafka.holder import Holder
from banyan.transport.kafka.intake import Intake
from banyan.transport.kafka.outboxes import StoreOutbox
from banyan.transport.kafka.relay import Relay
from banyan.transport.kafka.requests import Requests

_STILL_SECONDS = 5.0


class Link:
    """Joins `host` to `receivers` and `senders` by Kafka, and where it `has_other_side` to whoever follows or leads.

    `workers` are to run in the host's process. What the host hands on for the receivers goes to `relay`, by its owner.
    """

    def __init__(
        self, host: Holder, cluster: Cluster, topics: Topics, *, receivers: Sequence[str], senders: Sequence[str],
        side: str, has_other_side: bool = False,
    ) -> None:  # fmt: skip
        name = host.context.name
        own = [name] if has_other_side else []
        self._host = host
        self.receivers = tuple(receivers)
        self.relay = Relay(
            name, [*receivers, *own], cluster, topics, StoreOutbox(name, host.store.alias),
            lambda: _led(host), host.seed, side=side,
        )  # fmt: skip
        is_service = side == "service"
        self.intake = Intake(host, senders, cluster, topics, side, takes_requests=is_service)
        self.requests = Requests(host, cluster, topics) if own and not is_service else None
        self.log = Intake(host, own, cluster, topics, side) if own else None
        self.verdicts = Verdicts(name, cluster, topics) if own else None
        self.workers: list[Relay | Intake | Verdicts | Requests] = [
            *([self.relay] if receivers or own else []),
            *([self.intake] if senders or is_service else []),
            *(each for each in (self.log, self.verdicts, self.requests) if each is not None),
        ]

    def open(self) -> None:
        """Let the host use it."""
        self._host.look = self._look
        if self.log is not None and self.verdicts is not None:
            self._host.log = self.relay.offer
            self._host.compare = self.verdicts.offer

    def close(self) -> None:
        """Let the host do without."""
        self._host.look = lambda _: None
        self._host.compare = lambda _: None
        self._host.log = None

    def _look(self, wanted: Wanted) -> None:
        for intake in (self.intake, self.log):
            if intake is not None:
                intake.look(wanted)


def _led(host: Holder) -> list[str]:
    """Return the keys that are led here, or were until a moment ago: what was said last must get to Kafka."""
    now_ns = time.monotonic_ns()
    return [
        key
        for key, memory in list(host.keys.items())
        if memory.is_leading
        or (memory.handed_over_ns is not None and now_ns - memory.handed_over_ns < _STILL_SECONDS * 1e9)
    ]
