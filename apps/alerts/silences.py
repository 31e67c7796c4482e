"""What is told to nobody for a time."""

from collections.abc import Callable
from datetime import UTC, datetime

from apps.alerts.models import Alert, Silence


def in_force() -> list[Silence]:
    """Return the silences that have not ended, the first to end first."""
    return list(Silence.objects.filter(until__gt=datetime.now(UTC)).order_by("until", "id"))


def silenced() -> Callable[[Alert], Silence | None]:
    """Return what gives the silence that an alert falls under, None where there is none."""
    found = in_force()

    def silence_of(alert: Alert) -> Silence | None:
        fitting = (each for each in found if each.rule == alert.rule and each.subject in ("", alert.subject))
        return max(fitting, key=lambda each: each.until, default=None)

    return silence_of
