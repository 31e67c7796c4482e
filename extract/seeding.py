"""Asking leaders for seeds, and hearing from followers that they have taken them."""

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, Producer

from banyan.codec import decode_message
from banyan.kafka import Cluster
from banyan.kafka.ends import end_of
from banyan.kafka.topics import Topics
from banyan.messages import Compared, Seeded
from banyan.transport.kafka.wire import Resend, encode_resend, envelope_of

_ASK_SECONDS = 2.0


def seed(cluster: Cluster, topics: Topics, context: str, keys: Sequence[str], seconds: float) -> dict[str, int]:
    """Have the leaders of keys give all that it takes to follow them; return at which number each follower begins.

    Keys of which no follower has said so in time are missing.
    """
    consumer = Consumer(cluster.options(group_id=f"{topics.environment}.{context}.seeding", enable_auto_commit=False))
    consumer.assign([end_of(consumer, topics.compared(context), 0)])
    producer = Producer(cluster.options(linger_ms=0))
    begun: dict[str, int] = {}
    until, asked_at = time.monotonic() + seconds, -1e9
    try:
        while len(begun) < len(keys) and time.monotonic() < until:
            if time.monotonic() - asked_at >= _ASK_SECONDS:
                asked_at = time.monotonic()
                for key in keys:
                    if key not in begun:
                        producer.produce(topics.resend(context), encode_resend(Resend(context, key, key, 0)))
            producer.poll(0)
            record = consumer.poll(0.2)
            if record is None or record.error() is not None:
                continue
            envelope = envelope_of(record)
            told = decode_message(envelope.name, record.value() or b"")
            if isinstance(told, Compared) and told.input == Seeded.wire_name and envelope.key in keys:
                begun[envelope.key] = envelope.number
        producer.flush(5)
    finally:
        consumer.close()
    return begun
