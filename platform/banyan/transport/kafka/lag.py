"""How far keys are behind Kafka, shown there too: as the offsets of a group in which nobody is a member."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, TopicPartition

_LOGGER = logging.getLogger(__name__)
_POLL_SECONDS = 0.05
_ANSWER_SECONDS = 1.0
Part = tuple[str, int]
"""Topic and partition."""


class Lag:
    """Tells the lag of each key, and commits places to Kafka in the group of the consumer that reads.

    Offsets decide nothing. That consumer commits them, and no AdminClient: of librdkafka up to 2.16 a request of one to
    a group's coordinator ends the whole process where the broker dies before it is sent (ADR 105).
    """

    def __init__(self) -> None:
        self.by_key: Mapping[str, int] = {}
        self._told: dict[Part, int] = {}
        self._is_pending = False

    def begin(self) -> None:
        """Begin anew, with a consumer that has not committed anything."""
        self._told.clear()
        self._is_pending = False

    def report(
        self, consumer: Consumer, parts: Mapping[str, Sequence[Part]], places: Mapping[tuple[str, str, int], int]
    ) -> None:
        """Count what waits for each key behind its places, and commit the least place in each partition that moved."""
        self.by_key = {
            key: sum(_waiting(consumer, part, places.get((key, *part))) for part in theirs)
            for key, theirs in parts.items()
        }
        if self._is_pending:
            return
        least: dict[Part, int] = {}
        for key, theirs in parts.items():
            for part in theirs:
                if (place := places.get((key, *part))) is not None:
                    least[part] = min(place, least.get(part, place))
        news = {part: offset for part, offset in least.items() if self._told.get(part) != offset}
        if news:
            consumer.commit(offsets=[TopicPartition(*part, offset) for part, offset in news.items()], asynchronous=True)
            self._told |= news
            self._is_pending = True

    def answered(self, problem: KafkaError | None, parts: Sequence[TopicPartition]) -> None:
        """Notice what came of a commit; called by the consumer while it is polled."""
        self._is_pending = False
        problems = [each for each in (problem, *(part.error for part in parts)) if each is not None]
        if problems:
            self._told.clear()
            _LOGGER.info("offsets that show the lag could not be committed: %s", problems[0])

    def close(self, consumer: Consumer) -> None:
        """Close a consumer that reads no more, without waiting for a broker that is away.

        One with a commit on its way waits for its answer, for a minute where there is none: by itself, then.
        """
        until = time.monotonic() + _ANSWER_SECONDS
        while self._is_pending and time.monotonic() < until:
            consumer.poll(_POLL_SECONDS)
        if self._is_pending:
            threading.Thread(target=consumer.close, name="closing", daemon=True).start()
        else:
            consumer.close()


def _waiting(consumer: Consumer, part: Part, place: int | None) -> int:
    low, high = consumer.get_watermark_offsets(TopicPartition(*part), cached=True)
    return max(0, high - (place if place is not None else max(low, 0))) if high >= 0 else 0
