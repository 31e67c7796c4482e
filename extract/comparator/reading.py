"""Reading what followers of a context tell, comparing it, and keeping what came of that."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from django.db import Error, connections

from banyan.facade import Routing, Side, Stage
from banyan.facade.routing import routings
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from banyan.store import Store
from banyan.transport.kafka.wire import envelope_of
from extract.comparator.comparator import Comparator, record
from extract.comparator.ledger import keep, next_offset, rules, tidy
from extract.comparator.shapes import SHAPES
from extract.own_tables import bring_along, is_changed_by_people
from extract.sides import alias_of

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_TIDY_SECONDS = 600.0
_AT_ONCE = 500


def compare_until(context: str, cluster: Cluster, topics: Topics, stop: threading.Event) -> None:
    """Compare until `stop` is set, or the context has no service any more. Raises KafkaException."""
    store = Store(context)
    comparator = Comparator(context, SHAPES[context], lambda key, number: record(store, key, number))
    consumer = Consumer(
        cluster.options(
            group_id=f"{topics.environment}.{context}.comparator", enable_auto_commit=False,
            auto_offset_reset="earliest", queued_max_messages_kbytes=8_192,
        )
    )  # fmt: skip
    offset = next_offset(context)
    topic = topics.compared(context)
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING if offset is None else offset)])
    looked_at = tidied_at = -1e9
    try:
        while not stop.is_set():
            now = time.monotonic()
            if now - looked_at >= _LOOK_SECONDS:
                looked_at = now
                routing = routings().get(context, Routing())
                if not routing.has_service:
                    return
                if is_changed_by_people(context) and routing.stage is not Stage.EXTRACTED:
                    _bring_along(context)
                comparator.allowed = rules(context)
            if now - tidied_at >= _TIDY_SECONDS:
                tidied_at = now
                tidy(context)
            records = consumer.consume(_AT_ONCE, 0.2)
            if records:
                _take(comparator, records)
                keep(context, *comparator.taken(), (records[-1].offset() or 0) + 1)
    finally:
        consumer.close()
        store.close()


def _bring_along(context: str) -> None:
    """Give the service what people have changed; while its database is away, or not made, it goes on as it is."""
    try:
        bring_along(context, Side.SERVICE)
    except Error as problem:
        _LOGGER.info("%s: the service goes on with the tables that it has: %s", context, problem)
        connections[alias_of(context, Side.SERVICE)].close()


def _take(comparator: Comparator, records: Iterable[Any]) -> None:
    for each in records:
        if each.error() is not None:
            raise KafkaException(each.error())
        try:
            comparator.take(envelope_of(each), each.value() or b"")
        except Exception as problem:  # noqa: BLE001  (a follower may tell what it likes)
            _LOGGER.warning("%s at %d is nothing that a follower tells: %s", each.topic(), each.offset(), problem)
