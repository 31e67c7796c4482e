"""Where partitions end now, which a broker that has just got them may not know yet."""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

_PAUSE_SECONDS = 0.05


def end_of(consumer: Consumer, topic: str, partition: int, *, seconds: float = 10.0) -> TopicPartition:
    """Return a partition with its end for an offset. Raises KafkaException where nobody can tell in time."""
    until = time.monotonic() + seconds
    while True:
        place = TopicPartition(topic, partition)
        try:
            place.offset = consumer.get_watermark_offsets(place, 5)[1]
        except KafkaException:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return place
