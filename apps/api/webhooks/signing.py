"""How a receiver knows that a delivery is ours, and that it has not been sent again by somebody else."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings

from apps.api.models import Webhook

SIGNATURE = "Banyan-Signature"
DELIVERY = "Banyan-Delivery"


def secret_of(webhook: str, salt: bytes) -> str:
    """Return the secret of a webhook. It is kept nowhere: it follows from the salt and from the firm's own secret."""
    key = hashlib.sha256(b"banyan webhooks\n" + settings.SECRET_KEY.encode()).digest()
    return "whsec_" + base64.urlsafe_b64encode(hmac.digest(key, webhook.encode() + b"\n" + salt, "sha256")).decode()


def secrets_of(webhook: Webhook, now: datetime) -> list[str]:
    """Return the secrets by which a delivery is signed: the webhook's own, and the one before while that is good."""
    salts = [bytes(webhook.salt)]
    if webhook.old_salt is not None and webhook.old_until is not None and now < webhook.old_until:
        salts.append(bytes(webhook.old_salt))
    return [secret_of(webhook.pk, salt) for salt in salts]


def signature(secrets: Sequence[str], body: bytes, at: int) -> str:
    """Return what is sent as Banyan-Signature at a time (s): receivers compute it from the body as they got it."""
    signed = f"{at}.".encode() + body
    digests = (hmac.new(secret.encode(), signed, "sha256").hexdigest() for secret in secrets)
    return ",".join([f"t={at}", *(f"v1={digest}" for digest in digests)])
