"""How the sets are, as people ask for it."""

from datetime import datetime, timedelta

import msgspec
from django.utils import timezone

from apps.signals.contracts import DefineSet
from apps.signals.interface import SetStanding
from apps.signals.models import SetReport, StrategySet

ALIAS = "signals"
_SILENT_AFTER = timedelta(seconds=20)


def set_reports() -> dict[str, tuple[StrategySet, SetReport | None]]:
    """Return each set with the last report on its process, if it ever had one."""
    reports = {each.set_id: each for each in SetReport.objects.using(ALIAS)}
    return {each.id: (each, reports.get(each.id)) for each in StrategySet.objects.using(ALIAS)}


def state_of(found: StrategySet, report: SetReport | None, now: datetime | None = None) -> str:
    """Return the state of a set in a word or two."""
    if found.parked_because:
        return "parked"
    if not found.is_started:
        return "not started"
    if report is None or (now or timezone.now()) - report.reported_at > _SILENT_AFTER:
        return "not run"
    if report.state != "running":
        return report.state
    return "paused" if found.is_paused else "running"


def set_standings() -> list[SetStanding]:
    """Return how each set is, by name."""
    told = []
    for name, (each, report) in sorted(set_reports().items()):
        definition = msgspec.convert(each.definition, DefineSet)
        told.append(
            SetStanding(
                name,
                state_of(each, report),
                tuple(each.feeds),
                each.defined_at,
                definition,
                report.starts if report else 0,
                report.megabytes if report else 0.0,
                each.parked_because or (report.problem if report else ""),
                report.pid if report else 0,
                report.failures if report else 0,
                report.reported_at if report else None,
            )
        )
    return told


def notices() -> list[str]:
    """Return what a person has to look at: one line for each set that does not give what it should."""
    found = []
    for name, (each, report) in set_reports().items():
        match state_of(each, report):
            case "parked":
                found.append(
                    f"set {name} is parked: {each.parked_because}; `manage.py sets start {name}` when it is mended"
                )
            case "restarting" if report is not None:
                found.append(f"set {name} is started again and again: {report.problem}")
    return found
