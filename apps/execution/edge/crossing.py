"""The edge's road to execution's service: Kafka, both ways. Its sessions and its ledger stay where they are."""

from collections.abc import Mapping, Sequence

from apps.execution.edge.edge import HANDLED
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.shard import REPORTING, SENDER, missed
from apps.execution.edge.worker import EXECUTION, EdgeWorker, delivery_to_execution
from banyan.clock import Clock
from banyan.host import Delivery
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.transport.kafka import Relay, Tail
from banyan.transport.kafka.outboxes import Behind, Stream


class EdgeLink:
    """Joins an edge to execution by Kafka: its reports go there, and where it `hears` it reads what is released."""

    def __init__(
        self, worker: EdgeWorker, clock: Clock, cluster: Cluster, topics: Topics, *, hears: bool
    ) -> None:  # fmt: skip
        self.receivers = (EXECUTION,)
        self.relay = Relay(SENDER, self.receivers, cluster, topics, LedgerOutbox(clock), worker.taken)
        tail = Tail(SENDER, EXECUTION, cluster, topics, worker.taken, worker.offer, HANDLED)
        self.workers: Sequence[Relay | Tail] = [self.relay, *([tail] if hears else [])]

    def open(self) -> None:
        """Do nothing: what is handed on is heard, and what is read is offered."""

    def close(self) -> None:
        """Do nothing."""


class LedgerOutbox:
    """The reports of the edge's ledger. What Kafka has of them is not kept: the last of each shard goes there again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ledger = Ledger()
        self._kept: dict[str, int] = {}

    def behind(self, keys: Sequence[str], _: Sequence[str]) -> list[Behind]:
        """Return the streams of shards whose last report Kafka may not have."""
        rows = self._ledger.connection.execute(
            "SELECT key, reported FROM edge_lease WHERE key = ANY(%s)", [list(keys)]
        ).fetchall()
        for key, reported in rows:
            if key not in self._kept:
                self._kept[key] = self._before(key, reported)
        return [(EXECUTION, key, key, self._kept[key], reported) for key, reported in rows]

    def after(self, positions: Mapping[Stream, int]) -> list[Delivery]:
        """Return the reports of shards after a number of each."""
        now_ns = self._clock.wall_ns()
        return [
            delivery_to_execution(each)
            for (_, _, key), position in positions.items()
            for each in missed(self._ledger, key, position, now_ns=now_ns)
        ]

    def keep(self, positions: Mapping[Stream, int]) -> None:
        """Remember up to which number Kafka has reports."""
        self._kept |= {key: position for (_, _, key), position in positions.items()}

    def close(self) -> None:
        """Do without the database."""
        self._ledger.close()

    def _before(self, key: str, reported: int) -> int:
        """Return the number of the report before the last one, or of the last one where the ledger has it no longer."""
        last = next(iter(self._ledger.lines(key, reported - 1, kinds=REPORTING, most=1)), None)
        return reported if last is None else last.previous
