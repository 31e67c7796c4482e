"""Codes that change with the time, as authenticators show them (RFC 6238, by pyotp): each good once. Pure."""

import base64
import hmac

import pyotp

STEP_SECONDS = 30
SECRET_BYTES = 20
_WINDOW = 1
"""How many steps a phone's clock may be off, either way."""


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a step: the number of 30 s since 1970."""
    return _of(secret).generate_otp(step)


def step_of(secret: bytes, code: str, now: float, after: int) -> int | None:
    """Return the step that a code is of, if it is one of about now and later than `after`; None: it is wrong.

    A code that was used once is of no use again: `after` is the step of the last one.
    """
    current = int(now) // STEP_SECONDS
    found = None
    for step in range(current - _WINDOW, current + _WINDOW + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > after:
            found = step
    return found


def written(secret: bytes) -> str:
    """Return a secret as authenticators take it when it is typed, in groups of four."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def address(secret: bytes, user: str, issuer: str = "Banyan") -> str:
    """Return the address that an authenticator reads, from a picture or by opening it."""
    return _of(secret).provisioning_uri(name=user, issuer_name=issuer)


def _of(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(base64.b32encode(secret).decode(), interval=STEP_SECONDS)
