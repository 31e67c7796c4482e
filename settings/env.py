"""Settings from the environment: typed, checked where they are read, and never echoing a secret."""

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

Parsed = TypeVar("Parsed")

REQUIRED: Final = object()
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "memory", "filesystem")
_SECRET_KEY_LENGTH_MIN = 50
_SECRET = re.compile("SECRET|PASSWORD|TOKEN|KEY|CREDENTIAL")
_HIDDEN = "(hidden)"


class SettingError(ImproperlyConfigured):
    """An environment variable is missing or cannot be used; the message names it, the problem and an example."""


class Setting(NamedTuple):
    """A setting as people may see it: its value, or where that is secret that there is one; whether anybody set it."""

    name: str
    shown: str
    is_set: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment variables of one process. An empty variable counts as not set.

    `in_force` has what was read of it so far, by name, as it may be shown.
    """

    variables: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    in_force: dict[str, Setting] = field(default_factory=dict, repr=False)

    def read(
        self, name: str, parse: Callable[[str], Parsed], *, example: str, default: Parsed | object = REQUIRED
    ) -> Parsed:
        """Return variable `name` parsed by `parse`, or `default` where it is not set.

        Raises `SettingError` when it is not set and has no default, and when `parse` raises ValueError. The value
        itself is never repeated in the message, since it may hold a password.
        """
        value = self.variables.get(name, "").strip()
        self.in_force[name] = Setting(name, masked(name, value or default), bool(value))
        if not value:
            if default is REQUIRED:
                raise SettingError(f"{name} is not set. Set it, for example {name}={example}")
            return cast(Parsed, default)
        try:
            return parse(value)
        except ValueError as problem:
            raise SettingError(f"{name} {problem}, for example {name}={example}") from None


def masked(name: str, value: object) -> str:
    """Return what may be shown of a setting: not what is secret by its name, and no password of an address."""
    if value is REQUIRED or value in (None, "", (), []):
        return ""
    if _SECRET.search(name) and not name.endswith("_FILE"):
        return _HIDDEN
    if isinstance(value, dict):
        return (
            f"database {value['NAME']} of the embedded server" if value.get("EMBEDDED") else f"database {value['NAME']}"
        )
    told = str(value)
    if "://" not in told:
        return told
    try:
        address = urlsplit(told)
    except ValueError:
        return _HIDDEN
    user, at, host = address.netloc.rpartition("@")
    user = f"{user.partition(':')[0]}:{_HIDDEN}" if ":" in user else user
    asked = "&".join(f"{each.partition('=')[0]}={_HIDDEN}" for each in address.query.split("&") if each)
    return address._replace(netloc=f"{user}{at}{host}", query=asked, fragment="").geturl()


def text(value: str) -> str:
    """Return `value` as it is."""
    return value


def flag(value: str) -> bool:
    """Return the truth that `value` spells."""
    spelled = value.lower()
    if spelled in _YES | _NO:
        return spelled in _YES
    raise ValueError("must be one of 1, true, yes, on, 0, false, no, off")


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`, both included."""

    def parse(value: str) -> int:
        problem = f"must be a whole number from {low} to {high}"
        try:
            number = int(value)
        except ValueError:
            raise ValueError(problem) from None
        if not low <= number <= high:
            raise ValueError(problem)
        return number

    return parse


def names(value: str) -> list[str]:
    """Return the comma-separated entries of `value`, without blanks around them."""
    entries = [entry.strip() for entry in value.split(",")]
    if not all(entries):
        raise ValueError("must be names separated by single commas")
    return entries


def hosts(value: str) -> list[str]:
    """Return comma-separated host names; a scheme or a path in one is refused, and so is the host that allows all."""
    entries = names(value)
    if any("/" in entry for entry in entries):
        raise ValueError("must hold host names without scheme or path")
    if "*" in entries:
        raise ValueError("must name the hosts: * would answer to any Host header")
    return entries


def origins(value: str) -> list[str]:
    """Return comma-separated origins, each with its scheme."""
    entries = names(value)
    if not all(entry.startswith(("https://", "http://")) for entry in entries):
        raise ValueError("must hold origins that begin with https:// or http://")
    return entries


def log_level(value: str) -> str:
    """Return the name of a level of the logging module."""
    if value.upper() not in _LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(_LOG_LEVELS)}")
    return value.upper()


def absolute_path(value: str) -> Path:
    """Return `value` as a path with `~` expanded; a relative one is refused, since commands start anywhere."""
    path = Path(value).expanduser()
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def secret_key(value: str) -> str:
    """Return a secret key that is long and varied enough to sign with."""
    if len(value) < _SECRET_KEY_LENGTH_MIN or len(set(value)) < 5:  # Django's own bound, security.W009
        raise ValueError(f"must be at least {_SECRET_KEY_LENGTH_MIN} random characters")
    return value


def broker_url(value: str) -> str:
    """Return the URL of a Celery broker."""
    if urlsplit(value).scheme not in _BROKER_SCHEMES:
        raise ValueError(f"must begin with one of {', '.join(scheme + '://' for scheme in _BROKER_SCHEMES)}")
    return value


def brokers(value: str) -> str:
    """Return comma-separated Kafka brokers, each as host:port."""
    for each in names(value):
        host, _, port = each.rpartition(":")
        if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError("must be brokers as host:port, separated by single commas")
    return ",".join(names(value))


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a parser of the words that are allowed, in capitals or not."""

    def parse(value: str) -> str:
        if value.upper() not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value.upper()

    return parse


def topic_prefix(value: str) -> str:
    """Return the name of an environment, with which its topics begin."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", value):
        raise ValueError("must be a lower-case word of at most 20 letters, digits and hyphens")
    return value


def contexts(*allowed: str) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of comma-separated names of contexts, of those that are allowed."""

    def parse(value: str) -> tuple[str, ...]:
        if not set(names(value)) <= set(allowed):
            raise ValueError(f"must hold of {', '.join(allowed)} only, separated by single commas")
        return tuple(dict.fromkeys(names(value)))

    return parse


def networks(value: str) -> tuple[str, ...]:
    """Return comma-separated networks, each as address/bits."""
    try:
        return tuple(str(ip_network(each)) for each in names(value))
    except ValueError:
        raise ValueError("must be networks such as 10.1.2.0/24, separated by single commas") from None


def postgresql_url(value: str) -> dict[str, Any]:
    """Return the Django connection settings that a `postgresql://user:password@host:port/database?option=value` names.

    A socket folder is given as `?host=/var/run/postgresql`; other options go to libpq (`sslmode`, `application_name`).
    """
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL with a port that is a number") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError("must begin with postgresql:// (Banyan runs on PostgreSQL only)")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise ValueError("must name one database after the host")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or unquote(parts.hostname or "")
    if not host:
        raise ValueError("must name a host, or a socket folder as ?host=/path")
    return {
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port or ""),
        "OPTIONS": options,
    }


def kept_secret(path: Path) -> str:
    """Return the secret in `path`, made there, readable by its owner only, the first time.

    It appears there whole, so that of several processes at once each reads the same. Raises `SettingError` when the
    file holds something else.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, written = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(written)
        Path(written).unlink()
    try:
        return secret_key(path.read_text())
    except ValueError as problem:
        raise SettingError(f"{path} {problem}: delete it to have one made, or set BANYAN_SECRET_KEY") from None
