"""Alerts by e-mail: each once, in a few lines; what cannot be sent is tried again, and the page says why."""

from datetime import UTC, datetime

from django.conf import settings
from django.core.mail import EmailMessage

from apps.alerts.models import Alert
from apps.alerts.silences import silenced

_A_ROUND = 20


def addresses(written: str) -> list[str]:
    """Return the addresses that are written with commas between them."""
    return [each.strip() for each in written.split(",") if each.strip()]


def mail_what_is_due() -> int:
    """Send the alerts that nobody was told of yet; return how many. A silenced one waits until the silence ends."""
    due = Alert.objects.filter(ended_at=None, mailed_at=None, acknowledged_at=None).exclude(mail_to="")
    sent = 0
    quiet = silenced()
    for alert in due.order_by("id")[:_A_ROUND]:
        if quiet(alert):
            continue
        problem = _sent(alert)
        told = {"mail_problem": problem} if problem else {"mailed_at": datetime.now(UTC), "mail_problem": ""}
        Alert.objects.filter(pk=alert.pk).update(**told)
        sent += not problem
    return sent


def _sent(alert: Alert) -> str:
    """Return why an alert could not be sent; "": it was."""
    if not settings.EMAIL_HOST:
        return "no mail server is set: BANYAN_EMAIL_HOST names one"
    body = "\n".join(
        (
            alert.text,
            "",
            f"Rule: {alert.rule}{f' ({alert.subject})' if alert.subject else ''}, at {alert.bound:,g} or above.",
            f"Raised at {alert.raised_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC.",
            "It is told once. The console shows it under Alerts, where it is acknowledged or silenced.",
        )
    )
    subject = " ".join(f"Banyan: {alert.rule} {alert.subject}".split())
    message = EmailMessage(subject, body, settings.DEFAULT_FROM_EMAIL, addresses(alert.mail_to))
    try:
        message.send()
    except (OSError, ValueError) as problem:  # of the way to the server, and what it answers (smtplib's are OSErrors)
        return f"{type(problem).__name__}: {problem}"[:500]
    return ""
