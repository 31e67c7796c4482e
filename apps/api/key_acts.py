"""What people do to keys of the API by one button: taken away at once."""

from apps.api.keys import WrongKeyError, revoke
from apps.api.models import Key
from apps.console.interface import PEOPLE, Danger, Facts, Given, Kind


def key_told(key: Key) -> Facts:
    """Return what is told of a key; of its secret there is nothing to tell."""
    return {
        "key": key.id, "name": key.name, "client": key.client or "all clients", "scopes": ", ".join(key.scopes),
        "from": ", ".join(key.networks) or "anywhere", "calls a minute": key.calls_per_minute,
        "streams at once": key.streams,
        "until": f"{key.expires_at:%Y-%m-%d %H:%M} UTC",
    }  # fmt: skip


def key_of(key_id: str) -> Key:
    """Return a key. Raises WrongKeyError where there is none."""
    found = Key.objects.filter(id=key_id).first()
    if found is None:
        raise WrongKeyError(f"there is no key {key_id}")
    return found


def _revokes(given: Given) -> list[str]:
    key = key_of(given["key"])
    if key.revoked_at is not None:
        raise WrongKeyError(f"key {key.id} was revoked already")
    used = f"It was used last {key.used_at:%Y-%m-%d %H:%M} UTC." if key.used_at else "It was never used."
    return [f"Key {key.id} ({key.name}) does nothing more, at once: its next call is refused.", used,
            "Streams that it has open end within seconds. It cannot be undone."]  # fmt: skip


def _revoke(given: Given, _: str, __: str) -> tuple[str, Facts]:
    key = revoke(given["key"])
    return f"Key {key.id} ({key.name}) is revoked.", {"revoked": f"{key.revoked_at:%Y-%m-%d %H:%M:%S} UTC"}


KINDS = (
    Kind("key.revoke", "Revoke a key of the API", "Revoke it", Danger.SOME, _revokes,
         lambda given: key_told(key_of(given["key"])), _revoke, about=("key",), permission=PEOPLE, asks_who=True),
)  # fmt: skip
