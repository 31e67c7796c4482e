"""What others may ask of alerts: which there are, which rules, and to acknowledge, silence and change them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from apps.alerts.mailing import addresses
from apps.alerts.measures import MEASURES, Measure
from apps.alerts.models import Alert, Rule, Silence
from apps.alerts.silences import in_force, silenced

__all__ = [
    "MEASURES",
    "AlertError",
    "AlertTold",
    "Measure",
    "NewRule",
    "RuleTold",
    "Silence",
    "acknowledge",
    "alert",
    "end_silence",
    "ended_alerts",
    "open_alerts",
    "open_count",
    "remove_rule",
    "rule",
    "rules",
    "set_rule",
    "silence",
    "silences",
]  # fmt: skip
MINUTES_MAX = 7 * 24 * 60


class AlertError(ValueError):
    """What was asked cannot be: the message says what is wrong, where, and what to do."""

    exit_code: ClassVar = 2


class AlertTold(NamedTuple):
    """An alert, and until when it is silenced, if it is."""

    of: Alert
    silenced_until: datetime | None
    silenced_why: str


class NewRule(NamedTuple):
    """A rule as it is asked for; numbers as people write them."""

    name: str
    measure: str
    subject: str
    bound: str
    clears_below: str
    for_seconds: str
    is_grave: bool
    is_on: bool
    mail_to: str


class RuleTold(NamedTuple):
    """A rule, and what it measures; None: nothing does any more."""

    of: Rule
    measure: Measure | None


def open_alerts() -> list[AlertTold]:
    """Return the alerts that are not over: first those that nobody has acknowledged, the grave ones of them first."""
    quiet = silenced()
    told = [_told(each, quiet(each)) for each in Alert.objects.filter(ended_at=None)]
    return sorted(
        told,
        key=lambda each: (
            each.silenced_until is not None, each.of.acknowledged_at is not None, not each.of.is_grave, -each.of.pk,
        ),
    )  # fmt: skip


def open_count() -> int:
    """Return how many alerts are open that nobody has acknowledged or silenced."""
    found = list(Alert.objects.filter(ended_at=None, acknowledged_at=None))
    quiet = silenced() if found else None
    return sum(quiet is None or quiet(each) is None for each in found)


def ended_alerts(most: int, before: int | None = None) -> list[Alert]:
    """Return alerts that are over, the newest first: those before the one of that id."""
    found = Alert.objects.exclude(ended_at=None)
    if before is not None:
        found = found.filter(pk__lt=before)
    return list(found.order_by("-pk")[:most])


def alert(number: str) -> Alert:
    """Return an alert. Raises AlertError where there is none."""
    found = Alert.objects.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
    if found is None:
        raise AlertError(f"there is no alert {number}")
    return found


def acknowledge(number: str, by: str) -> Alert:
    """Say that somebody looks at an alert; it is open until it is over. Raises AlertError for one that is."""
    found = alert(number)
    if found.ended_at is not None:
        raise AlertError(f"alert {number} ({found}) is over already")
    Alert.objects.filter(pk=found.pk, acknowledged_at=None).update(
        acknowledged_at=datetime.now(UTC), acknowledged_by=by[:150]
    )
    return found


def silences() -> list[Silence]:
    """Return the silences in force, the first to end first."""
    return in_force()


def silence(name: str, subject: str, minutes: str, *, why: str, by: str) -> Silence:
    """Tell nobody of a rule's alerts for some minutes: of one subject, or of all (""). Raises AlertError."""
    rule(name)
    if not minutes.isdecimal() or not 1 <= int(minutes) <= MINUTES_MAX:
        raise AlertError(f"minutes: {minutes!r} is no whole number from 1 to {MINUTES_MAX:,} (a week)")
    until = datetime.now(UTC) + timedelta(minutes=int(minutes))
    return Silence.objects.create(rule=name, subject=subject, until=until, why=why, by=by[:150])


def end_silence(number: str) -> Silence:
    """Let a silence end now. Raises AlertError where it has ended."""
    found = next((each for each in in_force() if str(each.pk) == number), None)
    if found is None:
        raise AlertError(f"there is no silence {number} in force")
    Silence.objects.filter(pk=found.pk).update(until=datetime.now(UTC))
    return found


def rules() -> list[RuleTold]:
    """Return all rules by name."""
    return [RuleTold(each, MEASURES.get(each.measure)) for each in Rule.objects.all()]


def rule(name: str) -> Rule:
    """Return a rule. Raises AlertError where there is none."""
    found = Rule.objects.filter(name=name).first()
    if found is None:
        raise AlertError(f"there is no rule {name!r}")
    return found


def set_rule(wanted: NewRule) -> Rule:
    """Make a rule, or change the one of that name. Raises AlertError for what cannot be one."""
    values = checked(wanted)
    made, _ = Rule.objects.update_or_create(name=wanted.name, defaults=values)
    return made


def checked(wanted: NewRule) -> Mapping[str, object]:
    """Return a rule's values. Raises AlertError that names what is wrong."""
    if not wanted.name or len(wanted.name) > 60 or wanted.name != wanted.name.strip():
        raise AlertError("name: give the rule a name of at most 60 characters")
    if wanted.measure not in MEASURES:
        raise AlertError(f"measure: there is no {wanted.measure!r}; there are {', '.join(MEASURES)}")
    bound, clears = (_number(name, getattr(wanted, name)) for name in ("bound", "clears_below"))
    if clears > bound:
        raise AlertError(f"clears below: {clears:g} is above the bound of {bound:g}, so it would never be over")
    if clears <= 0:
        raise AlertError(f"clears below: {clears:g} is never reached; write something above 0")
    seconds = wanted.for_seconds
    if not seconds.isdecimal() or int(seconds) > 86_400:
        raise AlertError(f"for seconds: {seconds!r} is no whole number from 0 to 86,400")
    for each in addresses(wanted.mail_to):
        try:
            validate_email(each)
        except ValidationError:
            raise AlertError(f"mail to: {each!r} is no e-mail address; part several by commas") from None
    return {
        "measure": wanted.measure, "subject": wanted.subject[:100], "bound": bound, "clears_below": clears,
        "for_seconds": int(seconds), "is_grave": wanted.is_grave, "is_on": wanted.is_on,
        "mail_to": ", ".join(addresses(wanted.mail_to)),
    }  # fmt: skip


def remove_rule(name: str) -> None:
    """Remove a rule; what it has raised is over with the next look. Raises AlertError where there is none."""
    rule(name).delete()


def _number(name: str, written: str) -> float:
    try:
        found = float(written)
    except ValueError:
        found = float("nan")
    if not abs(found) < 1e15:
        raise AlertError(f"{name.replace('_', ' ')}: {written!r} is no number: write one as 1234.5")
    return found


def _told(of: Alert, quiet: Silence | None) -> AlertTold:
    return AlertTold(of, quiet.until if quiet else None, quiet.why if quiet else "")
