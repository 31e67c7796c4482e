"""Answering what the service of a context asks of another one, for as long as there is such a service."""

import logging
import threading
from collections.abc import Sequence

from confluent_kafka import KafkaException
from django.conf import settings
from django.db import Error, connections

from banyan.facade.routing import ALIAS, routing_of
from banyan.kafka import Cluster, KafkaError
from banyan.kafka.topics import Topics
from banyan.messages import Message
from banyan.transport.questions import Ask

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_RETRY_SECONDS = 5.0


class AnsweringWorker:
    """Answers, with `answer`, the questions of some kinds that the service of `asks` has to `of`."""

    def __init__(
        self, asks: str, of: str, cluster: Cluster, topics: Topics, answer: Ask, kinds: Sequence[type[Message]]
    ) -> None:
        self.name = f"{of}-answering"
        self._asks = asks
        self._of = of
        self._cluster = cluster
        self._topics = topics
        self._answer = answer
        self._kinds = kinds
        self._had_service = False

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; no client of Kafka is loaded before somebody may ask."""
        while not stop.is_set():
            if self._has_service():
                self._answer_until(stop)
            stop.wait(_LOOK_SECONDS)

    def wake(self) -> None:
        """Do nothing: it waits for a moment at the longest."""

    def _answer_until(self, stop: threading.Event) -> None:
        from banyan.transport.kafka import Answers

        ends = threading.Event()
        watch = threading.Thread(target=self._end, args=(stop, ends), name=f"{self.name}-end", daemon=True)
        watch.start()
        try:
            Answers(self._of, self._cluster, self._topics, self._answer, self._kinds).run(ends)
        except (KafkaError, KafkaException) as problem:
            _LOGGER.warning("%s: nobody can be answered for the moment: %s", self.name, problem)
            stop.wait(_RETRY_SECONDS)
        finally:
            ends.set()
            watch.join()

    def _end(self, stop: threading.Event, ends: threading.Event) -> None:
        """Set `ends` once `stop` is set, or nobody is there any more who may ask."""
        while not ends.is_set():
            if stop.is_set() or not self._has_service():
                ends.set()
            ends.wait(_LOOK_SECONDS)

    def _has_service(self) -> bool:
        if self._asks in settings.EXTRACTED:
            return True
        try:
            self._had_service = routing_of(self._asks).has_service
        except Error as problem:
            _LOGGER.warning("%s goes on as it is: stages cannot be asked for the moment: %s", self.name, problem)
        finally:
            connections[ALIAS].close()
        return self._had_service
