"""Reading and changing stages. When their database is down, everybody goes on with what was read last."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from banyan.facade.models import Change, Route
from banyan.facade.stages import Routing, Stage

ALIAS = "facade"


class ChangedMeanwhileError(RuntimeError):
    """Somebody else has changed the stage since it was read: look again."""


def routings() -> dict[str, Routing]:
    """Return the routing of each context that has one. Raises django.db.OperationalError."""
    return {row.context: _routing(row) for row in Route.objects.using(ALIAS).all()}


class Looked:
    """What `routings` returns, asked for once in `seconds` by all threads of a process together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._at = -seconds
        self._found: dict[str, Routing] = {}

    def __call__(self) -> Mapping[str, Routing]:
        """Return the routing of each context that has one. Raises django.db.OperationalError."""
        with self._lock:
            if time.monotonic() - self._at >= self._seconds:
                self._found, self._at = routings(), time.monotonic()
            return self._found


def routing_of(context: str) -> Routing:
    """Return the routing of a context; without one it is in the app."""
    row = Route.objects.using(ALIAS).filter(context=context).first()
    return Routing() if row is None else _routing(row)


def change(
    context: str, before: Routing, stage: Stage, *, who: str, why: str, evidence: Sequence[Mapping[str, Any]],
    service_keys: frozenset[str] = frozenset(),
) -> Routing:  # fmt: skip
    """Route a context from now on as said, and keep who wanted it and why. Raises ChangedMeanwhileError."""
    after = Routing(stage, service_keys, before.version + 1)
    with transaction.atomic(using=ALIAS):
        row, _ = (
            Route.objects.using(ALIAS)
            .select_for_update()
            .get_or_create(context=context, defaults={"stage": Stage.INPROCESS})
        )
        if row.version != before.version:
            raise ChangedMeanwhileError(f"{context} is in stage {row.stage} now: somebody else has changed it")
        row.stage, row.service_keys, row.version = stage, sorted(service_keys), after.version
        row.save(using=ALIAS)
        Change.objects.using(ALIAS).create(
            context=context, version=after.version, who=who, why=why, before=_told(before), after=_told(after),
            evidence=list(evidence),
        )  # fmt: skip
    return after


def changes(context: str, most: int) -> list[Change]:
    """Return the last changes of a context's route, newest first."""
    return list(Change.objects.using(ALIAS).filter(context=context)[:most])


def _routing(row: Route) -> Routing:
    return Routing(Stage(row.stage), frozenset(row.service_keys), row.version)


def _told(routing: Routing) -> dict[str, Any]:
    return {"stage": routing.stage, "service_keys": sorted(routing.service_keys)}
