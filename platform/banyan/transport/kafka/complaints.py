"""Saying what is wrong, not more often than a person reads it."""

import logging
import time

_SECONDS = 10.0


class Complaints:
    """What `name` has to complain of, written to `logger` once in ten seconds at most."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        self._logger = logger
        self._name = name
        self._said_at = -_SECONDS

    def say(self, problem: str) -> None:
        """Say what is wrong, unless something was said a moment ago."""
        now = time.monotonic()
        if now - self._said_at >= _SECONDS:
            self._said_at = now
            self._logger.warning("%s: %s", self._name, problem)
