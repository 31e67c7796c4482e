"""The worker that compares, for every context that has a service, what followers tell."""

import logging
import threading

from django.db import connections

from banyan.facade.routing import ALIAS, routings
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from extract.comparator.shapes import SHAPES

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0


class ComparatorWorker:
    """Compares for each context in a thread of its own. Whatever goes wrong here, nobody who decides notices."""

    name = "comparator"

    def __init__(self, cluster: Cluster, topics: Topics) -> None:
        self._cluster = cluster
        self._topics = topics
        self._threads: dict[str, threading.Thread] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            try:
                self._look(stop)
            except Exception as problem:  # noqa: BLE001
                _LOGGER.warning("stages cannot be asked for the moment: %s: %s", type(problem).__name__, problem)
                stop.wait(_RETRY_SECONDS)
            finally:
                connections[ALIAS].close()
            stop.wait(_LOOK_SECONDS)
        for thread in self._threads.values():
            thread.join()

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _look(self, stop: threading.Event) -> None:
        for context, routing in routings().items():
            thread = self._threads.get(context)
            if routing.has_service and context in SHAPES and not (thread and thread.is_alive()):
                thread = threading.Thread(target=self._compare, args=(context, stop), name=f"compare-{context}")
                self._threads[context] = thread
                thread.start()

    def _compare(self, context: str, stop: threading.Event) -> None:
        from extract.comparator.reading import compare_until  # who has no service needs no client of Kafka

        try:
            compare_until(context, self._cluster, self._topics, stop)
        except Exception as problem:  # noqa: BLE001
            _LOGGER.warning("%s is not compared for the moment: %s: %s", context, type(problem).__name__, problem)
            stop.wait(_RETRY_SECONDS)
        finally:
            connections.close_all()
