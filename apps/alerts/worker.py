"""The role that looks at rules: one process at a time, beside what only remembers, never on the way of an order."""

import contextlib
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import Error, connections

from apps.alerts.looking import Watch
from apps.alerts.mailing import mail_what_is_due
from apps.alerts.models import Alert, Silence
from banyan.store import connect

_LOGGER = logging.getLogger(__name__)
_LOCK = 0x414C5254  # any number that nobody else locks
LOOK_SECONDS = 5.0
_KEPT = timedelta(days=365)
_SWEEP_LOOKS = 720
_AWAY = (Error, psycopg.Error)


class AlertsWorker:
    """Looks at all rules every few seconds, as long as no other process does: a lock of the database says who."""

    name = "alerts"

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._turn: psycopg.Connection[Any] | None = None

    def run(self, stop: threading.Event) -> None:
        """Look until `stop` is set. A database that is away is waited for."""
        watch, looks = Watch(), 0
        while not stop.is_set():
            try:
                if self._is_mine():
                    for alert in watch.look():
                        _LOGGER.warning("alert: %s", alert.text)
                    mail_what_is_due()
                    looks += 1
                    if looks % _SWEEP_LOOKS == 1:
                        sweep(datetime.now(UTC))
            except _AWAY as problem:
                _LOGGER.warning("alerts: a database is away: %s", str(problem).strip().partition("\n")[0])
                self._forget()
            except Exception:
                # The read models live in the same process, and do not end for a mistake of a look.
                _LOGGER.exception("alerts: a look failed; the next one begins anew")
                watch = Watch()
            self._woken.wait(LOOK_SECONDS)
        self._forget()

    def _is_mine(self) -> bool:
        """Tell whether it is this process that looks: whoever has the lock keeps it as long as its connection lives."""
        if self._turn is not None:
            self._turn.execute("SELECT")
            return True
        turn = connect("default")
        row = turn.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
        if row is not None and row[0]:
            self._turn = turn
        else:
            turn.close()
        return self._turn is not None

    def _forget(self) -> None:
        with contextlib.suppress(*_AWAY):
            if self._turn is not None:
                self._turn.close()
        self._turn = None
        connections.close_all()

    def wake(self) -> None:
        """Stop waiting."""
        self._woken.set()


def sweep(now: datetime) -> None:
    """Forget alerts that have been over for a year, and silences that have ended as long ago."""
    Alert.objects.filter(ended_at__lt=now - _KEPT).delete()
    Silence.objects.filter(until__lt=now - _KEPT).delete()
