"""How a receiver knows that a delivery is ours, and that it has not been sent again by somebody else."""

import base64
import hashlib
import hmac

from django.conf import settings

SIGNATURE = "Banyan-Signature"
DELIVERY = "Banyan-Delivery"


def secret_of(webhook: str, salt: bytes) -> str:
    """Return the secret of a webhook. It is kept nowhere: it follows from the salt and from the firm's own secret."""
    key = hashlib.sha256(b"banyan webhooks\n" + settings.SECRET_KEY.encode()).digest()
    return "whsec_" + base64.urlsafe_b64encode(hmac.digest(key, webhook.encode() + b"\n" + salt, "sha256")).decode()


def signature(secret: str, body: bytes, at: int) -> str:
    """Return what is sent as Banyan-Signature at a time (s): receivers compute it from the body as they got it."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, "sha256").hexdigest()
    return f"t={at},v1={digest}"
