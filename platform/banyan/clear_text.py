"""What production says to other machines in the clear, for `manage.py check --deploy`."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

_HERE = ("", "localhost", "127.0.0.1", "::1")
_CHECKED = ("verify-ca", "verify-full")


@checks.register(checks.Tags.security, deploy=True)
def check_clear_text(**_: Any) -> list[checks.Warning]:
    """Return a warning for each way to another machine that somebody in between could read, or answer on."""
    return list(_warnings())


def _warnings() -> Iterator[checks.Warning]:
    for alias, database in settings.DATABASES.items():
        host = database.get("HOST", "")
        if host in _HERE or host.startswith("/") or database.get("OPTIONS", {}).get("sslmode") in _CHECKED:
            continue
        yield checks.Warning(
            f"Nobody checks that {host} is the server of database {alias}, or reads along.",
            hint="Add ?sslmode=verify-full to its URL, and &sslrootcert=/path where the system does not know it.",
            id="banyan.W001",
        )
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        address = urlsplit(getattr(settings, name) or "")
        if address.scheme == "redis" and (address.hostname or "") not in _HERE:
            yield checks.Warning(f"{name} is spoken to in the clear.", hint="Use rediss://.", id="banyan.W002")
    protocol = settings.KAFKA.security.get("security.protocol", "")
    brokers = {each.rpartition(":")[0].strip("[]") for each in settings.KAFKA.bootstrap.split(",")}
    if settings.KAFKA.bootstrap and protocol != "SASL_SSL" and brokers - set(_HERE):
        has_certificate = protocol == "SSL" and "ssl.certificate.location" in settings.KAFKA.security
        if not has_certificate:
            yield checks.Warning(
                f"Kafka is spoken to by {protocol}: brokers do not know who we are, or anybody can read along.",
                hint="Set KAFKA_SECURITY_PROTOCOL=SASL_SSL, or SSL with KAFKA_CERTIFICATE_FILE.",
                id="banyan.W003",
            )
    if settings.EMAIL_HOST_PASSWORD and not settings.EMAIL_USE_TLS and settings.EMAIL_HOST not in _HERE:
        yield checks.Warning(
            "The mail server's password is sent in the clear.", hint="BANYAN_EMAIL_TLS=true", id="banyan.W004"
        )
