"""How the system is, thing by thing, so that whoever listens is told of what has become different."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from rest_framework import serializers

from apps.alerts import interface as alerts
from apps.alerts.interface import AlertTold
from apps.api.rows import Row
from apps.execution.interface import kill_switch
from apps.reporting import interface as reporting
from apps.reporting.interface import Place
from banyan.facade.routing import routings
from banyan.ids import stable_hash
from banyan.standing import standings

_LOOK_SECONDS = 1.0
_DIGEST_BITS = 53  # as many as every reader of JSON has exactly
_OF_CONTEXT = ("dead_letters", "stopped", "notices")


class SystemRow(Row):
    """What is so: of a context, a stage, trading-states, kill-switch or alerts, which `thing` names."""

    thing = serializers.CharField()
    now = serializers.DictField()


class _Told(NamedTuple):
    digest: int
    row: dict[str, Any]


class _Look:
    """What is so, as of a second ago at most: all who listen share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: Mapping[str, _Told] = {}
        self._until = 0.0

    def now(self) -> Mapping[str, _Told]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = {thing: _told(thing, facts) for thing, facts in _things().items()}
                self._until = time.monotonic() + _LOOK_SECONDS
            return self._found


_LOOK = _Look()


def system_marks() -> dict[str, Place]:
    """Return by thing what stands for how it is now."""
    return {thing: (told.digest,) for thing, told in _LOOK.now().items()}


def system_onward(
    _: object, after: Mapping[str, Place], upto: Mapping[str, Place], most: int
) -> Sequence[tuple[str, Place, Any]]:
    """Return the things that are as marks say and not as in `after`; what has changed since is told with others."""
    found = [(thing, (told.digest,), told.row) for thing, told in sorted(_LOOK.now().items())]
    return [(thing, at, row) for thing, at, row in found if upto.get(thing) == at != after.get(thing)][:most]


def _told(thing: str, facts: dict[str, Any]) -> _Told:
    written = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS, default=str).decode()
    return _Told(stable_hash(written) >> (64 - _DIGEST_BITS), {"thing": thing, "now": facts})


def _things() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, each in standings().items():
        held = sum(key["is_held"] for key in each["keys"])
        found[f"context {name}"] = {"keys": len(each["keys"]), "held": held} | {key: each[key] for key in _OF_CONTEXT}
    for context, routing in routings().items():
        found[f"stage {context}"] = {"stage": routing.stage.value, "service_keys": sorted(routing.service_keys)}
    restricted = [
        {"level": each.level, "name": each.name, "state": str(each.state), "reason": each.reason}
        for each in reporting.restrictions()
    ]
    found["trading-states"] = {"restricted": restricted}
    reason = kill_switch().reason()
    found["kill-switch"] = {"is_thrown": bool(reason), "reason": reason}
    found["alerts"] = {"open": [_alert(each) for each in sorted(alerts.open_alerts(), key=lambda each: each.of.pk)]}
    return found


def _alert(told: AlertTold) -> dict[str, Any]:
    """Return an alert without what swings while it is open: it is told when it is raised, dealt with and over."""
    of = told.of
    return {
        "id": of.pk, "rule": of.rule, "subject": of.subject, "measure": of.measure, "bound": of.bound,
        "is_grave": of.is_grave, "raised_at": of.raised_at.isoformat(), "acknowledged_by": of.acknowledged_by,
        "silenced_until": told.silenced_until and told.silenced_until.isoformat(),
    }  # fmt: skip
