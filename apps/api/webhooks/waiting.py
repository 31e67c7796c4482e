"""Waiting for the first webhook: what sends to them is as large as Django, and loaded only where there is one."""

import logging
import threading
from collections.abc import Callable

from django.db import Error, connections

from apps.api.models import Webhook
from banyan.process import Worker

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


def _sender(woken: threading.Event) -> Worker:
    from apps.api.webhooks.sending import WebhookWorker

    return WebhookWorker(woken=woken)


class WhenWanted:
    """Begins to send to webhooks when there is one. `begin` gets the event that wakes the worker which it returns."""

    name = "webhooks"

    def __init__(
        self, begin: Callable[[threading.Event], Worker] = _sender, look_seconds: float = _LOOK_SECONDS
    ) -> None:  # fmt: skip
        self._begin = begin
        self._look_seconds = look_seconds
        self._woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Wait for a webhook, then send, until `stop` is set."""
        while not (stop.is_set() or self._is_wanted()):
            self._woken.wait(self._look_seconds)
        connections.close_all()
        if not stop.is_set():
            self._begin(self._woken).run(stop)

    def wake(self) -> None:
        """Stop waiting."""
        self._woken.set()

    def _is_wanted(self) -> bool:
        try:
            return Webhook.objects.exists()
        except Error as problem:
            _LOGGER.warning("webhooks: a database is away, it is tried again: %s", problem)
            connections.close_all()
            return False
