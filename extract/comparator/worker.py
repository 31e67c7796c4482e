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
    """Compares for one context at a time. Whatever goes wrong here, nobody who decides notices."""

    name = "comparator"

    def __init__(self, cluster: Cluster, topics: Topics) -> None:
        self._cluster = cluster
        self._topics = topics

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        while not stop.is_set():
            try:
                self._look(stop)
            except Exception as problem:  # noqa: BLE001
                _LOGGER.warning("nothing is compared for the moment: %s: %s", type(problem).__name__, problem)
                stop.wait(_RETRY_SECONDS)
            finally:
                connections[ALIAS].close()
            stop.wait(_LOOK_SECONDS)

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _look(self, stop: threading.Event) -> None:
        wanted = sorted(name for name, routing in routings().items() if routing.has_service and name in SHAPES)
        if wanted:
            from extract.comparator.reading import compare_until  # who has no service needs no client of Kafka

            compare_until(wanted[0], self._cluster, self._topics, stop)
