"""Keys: made, shown once, checked, rotated, revoked."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import ClassVar

from django.db import transaction
from django.utils import timezone

from apps.api.allowance import TAKE, Allowance, allowance_of
from apps.api.models import Key
from apps.api.problems import Problem
from banyan.store import again

SCOPES = ("read", "trade", "research", "operate", "extract")
OF_CLIENTS = frozenset({"read", "trade"})
"""What a client's key can have."""
_WRITTEN = re.compile(r"bnyn_([a-z2-7]{12})_([A-Za-z0-9_-]{43})")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_NETWORK_MAX = 43
_USED_EVERY = timedelta(minutes=1)


class WrongKeyError(ValueError):
    """What was asked of keys cannot be: the message says why."""

    exit_code: ClassVar = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key that is to be made."""

    name: str
    scopes: Sequence[str]
    client: str = ""
    days: int = 90
    networks: Sequence[str] = ()
    calls_per_minute: int = 600
    streams: int = 50

    def check(self) -> None:
        """Raise WrongKeyError for what no key can be."""
        unknown = [scope for scope in self.scopes if scope not in SCOPES]
        if unknown or not self.scopes:
            told = f"there is no scope {', '.join(unknown)}" if unknown else "a key needs a scope"
            raise WrongKeyError(f"{told}: choose from {', '.join(SCOPES)}")
        if self.client and (beyond := set(self.scopes) - OF_CLIENTS):
            raise WrongKeyError(f"a client's key cannot have {', '.join(sorted(beyond))}: only read and trade")
        if not self.name.strip() or len(self.name) > 100:
            raise WrongKeyError("say what the key is for, in 1 to 100 characters")
        if len(self.client) > 64 or not self.client.isprintable():
            raise WrongKeyError("no client has a name of more than 64 printable characters")
        if not 1 <= self.days <= 3650:
            raise WrongKeyError(f"a key lives for 1 to 3650 days, not {self.days}")
        if not 1 <= self.calls_per_minute <= 1_000_000:
            raise WrongKeyError(f"a key has 1 to 1,000,000 calls a minute, not {self.calls_per_minute}")
        if not 1 <= self.streams <= 10_000:
            raise WrongKeyError(f"a key has 1 to 10,000 streams open at once, not {self.streams}")
        for network in self.networks:
            if not _is_network(network):
                raise WrongKeyError(f"{network!r} is no network such as 203.0.113.0/24 or 203.0.113.7")


def make(wanted: Wanted, *, replaces: str = "", holder: str = "") -> tuple[Key, str]:
    """Make a key; return it and the text that is its holder's, which nobody can tell again. Raises WrongKeyError."""
    wanted.check()
    now = timezone.now()
    public, secret = "".join(secrets.choice(_LETTERS) for _ in range(12)), secrets.token_urlsafe(32)
    key = Key.objects.create(
        id=public,
        secret_hash=_hashed(secret),
        name=wanted.name.strip(),
        client=wanted.client,
        scopes=[scope for scope in SCOPES if scope in wanted.scopes],
        networks=list(wanted.networks),
        calls_per_minute=wanted.calls_per_minute,
        streams=wanted.streams,
        made_at=now,
        expires_at=now + timedelta(days=wanted.days),
        replaces=replaces,
        holder=holder or public,
    )
    return key, f"bnyn_{public}_{secret}"


def rotate(key_id: str, *, days: int, overlap_hours: float) -> tuple[Key, str]:
    """Make a key like another, which expires when `overlap_hours` are over. Raises WrongKeyError."""
    with transaction.atomic():
        old = _open(key_id)
        if not 0.0 <= overlap_hours <= 720.0:
            raise WrongKeyError(f"keys overlap by 0 to 720 hours, not {overlap_hours:g}")
        wanted = Wanted(old.name, old.scopes, old.client, days, old.networks, old.calls_per_minute, old.streams)
        made = make(wanted, replaces=old.id, holder=old.holder)
        until = min(old.expires_at, timezone.now() + timedelta(hours=overlap_hours))
        Key.objects.filter(id=old.id).update(expires_at=until)
    return made


def revoke(key_id: str) -> Key:
    """Let a key do nothing more, at once. Raises WrongKeyError."""
    with transaction.atomic():
        key = _open(key_id)
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
    return key


def check(written: str, address: str | None, now: datetime) -> tuple[Key, Allowance]:
    """Return the key that is written in a call, which is counted, and what is left of its calls.

    Raises Problem where it is none, or not for this call.
    """
    found = _WRITTEN.fullmatch(written)
    key, left = _taken(found[1], _hashed(found[2]), now, "networks = '{}'") if found else (None, None)
    if found is None or key is None or not hmac.compare_digest(bytes(key.secret_hash), _hashed(found[2])):
        raise Problem("key-unknown", headers=_ASK)
    if (problem := _problem_of(key.revoked_at, key.expires_at, now)) is not None:
        raise problem
    if key.networks:
        if not _is_within(address, key.networks):
            raise Problem("address-refused")
        _, left = _taken(found[1], _hashed(found[2]), now, "true")
    if left is None:  # it has been revoked just now
        raise Problem("key-revoked", headers=_ASK)
    if key.used_at is None or now - key.used_at >= _USED_EVERY:
        Key.objects.filter(id=key.id).update(used_at=now)
    return key, left


def problems_of(key_ids: Collection[str], now: datetime) -> dict[str, Problem]:
    """Return of those of some keys that are good no more what is the matter with them."""
    found = Key.objects.filter(id__in=key_ids).values_list("id", "revoked_at", "expires_at")
    known = {key_id: _problem_of(revoked_at, expires_at, now) for key_id, revoked_at, expires_at in found}
    problems = {key_id: known.get(key_id, Problem("key-unknown", headers=_ASK)) for key_id in key_ids}
    return {key_id: problem for key_id, problem in problems.items() if problem is not None}


def _problem_of(revoked_at: datetime | None, expires_at: datetime, now: datetime) -> Problem | None:
    if revoked_at is not None:
        return Problem("key-revoked", headers=_ASK)
    if expires_at <= now:
        return Problem("key-outdated", f"It expired on {expires_at:%Y-%m-%d at %H:%M:%S} UTC.", headers=_ASK)
    return None


def _taken(key_id: str, secret_hash: bytes, now: datetime, holds: str) -> tuple[Key | None, Allowance | None]:
    """Return a key by its id, and take a call of it: of one that is good, and for which something `holds`.

    One statement does both: every call asks for it.
    """
    names = [each.attname for each in Key._meta.concrete_fields]
    good = f"secret_hash = %(secret_hash)s AND revoked_at IS NULL AND expires_at > %(now)s AND {holds}"
    found = again(
        "default",
        f"WITH known AS (SELECT {', '.join(names)} FROM api_key WHERE id = %(id)s), "  # noqa: S608  (names of ours)
        f"taken AS ({TAKE.format(good)}) SELECT taken.*, known.* FROM known LEFT JOIN taken ON true",
        {"id": key_id, "secret_hash": secret_hash, "now": now},
    )
    if not found:
        return None, None
    (row,) = found
    key = Key.from_db("default", names, row[2:])
    return key, None if row[0] is None else allowance_of(key.calls_per_minute, row[0], is_granted=row[1])


_ASK = {"WWW-Authenticate": "Bearer"}


def _open(key_id: str) -> Key:
    key = Key.objects.select_for_update().filter(id=key_id).first()
    if key is None:
        raise WrongKeyError(f"there is no key {key_id}: `manage.py api_keys list` shows them")
    if key.revoked_at is not None:
        raise WrongKeyError(f"key {key_id} was revoked already")
    return key


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return len(text) <= _NETWORK_MAX


def _is_within(address: str | None, networks: Sequence[str]) -> bool:
    try:
        own = ip_address(address or "")
    except ValueError:
        return False
    return any(own in ip_network(network) for network in networks)


def _hashed(secret: str) -> bytes:
    """Return the hash of a secret: of 256 random bits, so that guessing is no faster for a hash that is fast."""
    return hashlib.sha256(secret.encode()).digest()
