"""Rules looked at, one after the other: what is found becomes an alert, once, and what is over ends it."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import psycopg
from django.db import Error, transaction

from apps.alerts.judging import Bounds, Change, Reading, Tracked, judged, subjects
from apps.alerts.measures import MEASURES
from apps.alerts.models import Alert, Rule
from banyan.databases import forget_broken

_LOGGER = logging.getLogger(__name__)
Read = Callable[[str], Mapping[str, Reading]]


def measured(name: str) -> Mapping[str, Reading]:
    """Return what a measure has found. Raises what the databases it asks raise."""
    return MEASURES[name].read()


def pause_of(name: str) -> float:
    """Return how many seconds a measure is left alone after it was asked: those that cost more for longer."""
    return MEASURES[name].every


class Watch:
    """Looks at all rules whenever it is asked to, and remembers between looks what is about to be raised or over.

    What is open stands in the database, so whoever begins anew goes on with it.
    """

    def __init__(
        self, read: Read = measured, clock: Callable[[], float] = time.monotonic,
        pause: Callable[[str], float] = pause_of,
    ) -> None:  # fmt: skip
        self._read = read
        self._clock = clock
        self._pause = pause
        self._asked: dict[str, float] = {}
        self._known: dict[str, dict[str, Tracked]] = {}

    def look(self) -> list[Alert]:
        """Look at all rules that are on; return what was raised. A measure that is not asked changes nothing."""
        rules = list(Rule.objects.filter(is_on=True))
        open_alerts = {(each.rule, each.subject): each for each in Alert.objects.filter(ended_at=None)}
        readings = dict(self._readings({rule.measure for rule in rules}))
        raised = []
        for rule in rules:
            if rule.measure in readings:
                raised += self._judge(rule, readings[rule.measure], open_alerts)
        names = {rule.name for rule in rules}
        for (name, _), alert in open_alerts.items():
            if name not in names:  # the rule was switched off, or removed
                _end(alert)
        self._known = {name: known for name, known in self._known.items() if name in names}
        return raised

    def _readings(self, measures: Iterable[str]) -> Iterable[tuple[str, Mapping[str, Reading]]]:
        for name in sorted(measures):
            if name not in MEASURES:
                _LOGGER.warning("there is no measure %s: a rule that looks at it looks at nothing", name)
                continue
            now = self._clock()
            if name in self._asked and now - self._asked[name] < self._pause(name):
                continue
            self._asked[name] = now
            try:
                yield name, self._read(name)
            except (Error, psycopg.Error) as problem:
                _LOGGER.warning("%s cannot be measured now: %s", name, str(problem).strip().partition("\n")[0])
                forget_broken()

    def _judge(
        self, rule: Rule, readings: Mapping[str, Reading], open_alerts: Mapping[tuple[str, str], Alert]
    ) -> list[Alert]:
        bounds = Bounds(rule.bound, rule.clears_below, rule.for_seconds)
        known = self._known.setdefault(rule.name, {})
        for name, subject in open_alerts:
            if name == rule.name and not known.get(subject, Tracked()).is_open:
                known[subject] = Tracked(is_open=True)
        for subject in known:
            if known[subject].is_open and (rule.name, subject) not in open_alerts:
                known[subject] = Tracked()
        raised, now = [], self._clock()
        for subject in subjects(known, readings, rule.subject):
            reading = readings.get(subject)
            known[subject], change = judged(bounds, known.get(subject, Tracked()), reading, now)
            if change is Change.RAISED and reading is not None:
                raised.append(_raise(rule, subject, reading))
            elif change is Change.OVER:
                _end(open_alerts[rule.name, subject])
            elif change is Change.GOES_ON and reading is not None:
                _goes_on(open_alerts[rule.name, subject], reading)
            if reading is None:
                del known[subject]
        return raised


def _raise(rule: Rule, subject: str, reading: Reading) -> Alert:
    with transaction.atomic(using="default"):
        alert, _ = Alert.objects.get_or_create(
            rule=rule.name, subject=subject, ended_at=None,
            defaults={
                "measure": rule.measure, "is_grave": rule.is_grave, "text": reading.text, "value": reading.value,
                "worst": reading.value, "bound": rule.bound, "raised_at": datetime.now(UTC), "mail_to": rule.mail_to,
            },
        )  # fmt: skip
    return alert


def _end(alert: Alert) -> None:
    Alert.objects.filter(pk=alert.pk).update(ended_at=datetime.now(UTC))


def _goes_on(alert: Alert, reading: Reading) -> None:
    if (alert.value, alert.text) != (reading.value, reading.text):
        worst = max(alert.worst, reading.value)
        Alert.objects.filter(pk=alert.pk).update(value=reading.value, worst=worst, text=reading.text)
