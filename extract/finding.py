"""Which keys a service holds where people make new ones: those of its database, and those that others know of."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaException

from banyan.host import Host
from banyan.kafka import KafkaError
from banyan.process import Part

_LOGGER = logging.getLogger(__name__)
_LOOK_SECONDS = 2.0


class Finder:
    """Looks every other second, in a thread of its own, with `find`; the host's thread calls it for the keys."""

    def __init__(self, find: Callable[[], Sequence[str]], host: Host[Any], part: Part) -> None:
        self.name = f"{host.context.name}-finder"
        self._find = find
        self._host = host
        self._part = part
        self._found: Sequence[str] | None = None
        self._keys: Sequence[str] = ()
        self._woken = threading.Event()

    def __call__(self) -> Sequence[str]:
        """Return the keys that are to be held here. Raises psycopg.OperationalError."""
        self._keys = self.of(self._part)
        return self._keys

    def of(self, part: Part) -> Sequence[str]:
        """Return the keys of any part. Raises psycopg.OperationalError."""
        known = {*self._host.store.all_keys(), *(self._found or ())}
        return sorted(key for key in known if part.has(key))

    def __len__(self) -> int:
        """Return how many keys there were when they were last asked for: one that is not known yet, before any look."""
        return len(self._keys) if self._found is not None else max(1, len(self._keys))

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        while not stop.is_set():
            try:
                self._found = self._find()
            except (KafkaError, KafkaException) as problem:
                _LOGGER.warning("%s: new keys cannot be looked for now: %s", self.name, problem)
            self._woken.wait(_LOOK_SECONDS)

    def wake(self) -> None:
        """Return from waiting."""
        self._woken.set()
