"""How far keys are behind Kafka, shown there too: as the offsets of a group for each key, in which nobody reads."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from banyan.kafka import Cluster

_LOGGER = logging.getLogger(__name__)


class Lag:
    """Tells the lag of each key; its group's name is `prefix`, a dot and the key. Offsets decide nothing."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self.by_key: Mapping[str, int] = {}
        self._cluster = cluster
        self._prefix = prefix
        self._admin: AdminClient | None = None
        self._told: dict[tuple[str, str, int], int] = {}
        self._pending: list[Future[Any]] = []

    def report(
        self, consumer: Consumer, parts: Mapping[str, Sequence[tuple[str, int]]],
        places: Mapping[tuple[str, str, int], int],
    ) -> None:  # fmt: skip
        """Count what waits for each key behind its committed places, and commit these to Kafka."""
        self._settle()
        self.by_key = {
            key: sum(_waiting(consumer, part, places.get((key, *part))) for part in theirs)
            for key, theirs in parts.items()
        }
        news = {place: offset for place, offset in places.items() if self._told.get(place) != offset}
        groups: dict[str, list[TopicPartition]] = {}
        for (key, topic, partition), offset in news.items():
            groups.setdefault(key, []).append(TopicPartition(topic, partition, offset))
        if not groups or self._pending:
            return
        if self._admin is None:
            self._admin = AdminClient(self._cluster.options())
        for key, offsets in groups.items():
            wanted = [ConsumerGroupTopicPartitions(f"{self._prefix}.{key}", offsets)]
            self._pending += self._admin.alter_consumer_group_offsets(wanted).values()
        self._told |= news

    def _settle(self) -> None:
        done = [each for each in self._pending if each.done()]
        self._pending = [each for each in self._pending if not each.done()]
        for each in done:
            problem = each.exception()
            if isinstance(problem, KafkaException):
                self._told.clear()
                _LOGGER.info("offsets that show the lag could not be committed: %s", problem)


def _waiting(consumer: Consumer, part: tuple[str, int], place: int | None) -> int:
    low, high = consumer.get_watermark_offsets(TopicPartition(*part), cached=True)
    return max(0, high - (place if place is not None else max(low, 0))) if high >= 0 else 0
