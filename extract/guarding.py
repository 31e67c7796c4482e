"""The worker that guards contexts whose service leads keys."""

import logging
import threading
from typing import TYPE_CHECKING

from django.db import connections

from banyan.facade import Stage
from banyan.facade.routing import ALIAS, routings
from banyan.kafka import Cluster
from banyan.kafka.topics import Topics
from extract.comparator.shapes import SHAPES

if TYPE_CHECKING:
    from extract.guards import Guard

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0


class GuardWorker:
    """Looks once a second. Whatever goes wrong here, nobody who decides notices."""

    name = "guard"

    def __init__(self, cluster: Cluster, topics: Topics) -> None:
        self._cluster = cluster
        self._topics = topics
        self._guards: dict[str, Guard] = {}

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set."""
        while not stop.wait(_LOOK_SECONDS):
            try:
                self._look()
            except Exception as problem:  # noqa: BLE001
                _LOGGER.warning("guard: %s: %s", type(problem).__name__, problem)
                stop.wait(_RETRY_SECONDS)
            finally:
                connections[ALIAS].close()

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _look(self) -> None:
        led = {
            context: routing
            for context, routing in routings().items()
            if context in SHAPES and routing.stage in (Stage.CANARY, Stage.LIVE)
        }
        self._guards = {context: guard for context, guard in self._guards.items() if context in led}
        for context, routing in led.items():
            if context not in self._guards:
                from extract.guards import Guard  # who has no service needs no client of Kafka

                self._guards[context] = Guard(context, self._cluster, self._topics)
            self._guards[context].look(routing)
