"""How many calls a key has left: a bucket that fills up again, shared by all processes through the database."""

from datetime import datetime
from typing import NamedTuple

from django.db import connections

_THERE = "least(%(most)s, a.calls_left + extract(epoch FROM greatest(%(now)s, a.at) - a.at) * %(most)s / 60.0)"
_TAKE = f"""
    INSERT INTO api_allowance AS a (key, calls_left, is_granted, at)
    VALUES (%(key)s, %(most)s - 1, true, %(now)s)
    ON CONFLICT (key) DO UPDATE SET at = greatest(%(now)s, a.at), is_granted = {_THERE} >= 1,
      calls_left = {_THERE} - CASE WHEN {_THERE} >= 1 THEN 1 ELSE 0 END
    RETURNING calls_left, is_granted"""  # noqa: S608  (names of ours)


class Allowance(NamedTuple):
    """What is left of a key's calls after this one; `seconds` until there is one again, or all are."""

    most: int
    left: int
    seconds: int
    is_granted: bool

    def headers(self) -> dict[str, str]:
        """Return it as the headers of draft-ietf-httpapi-ratelimit-headers."""
        return {
            "RateLimit-Policy": f'"key";q={self.most};w=60',
            "RateLimit": f'"key";r={self.left};t={self.seconds}',
        }


def take(key: str, most: int, now: datetime) -> Allowance:
    """Take one call of a key that has `most` a minute."""
    with connections["default"].cursor() as cursor:
        cursor.execute(_TAKE, {"key": key, "most": most, "now": now})
        left, is_granted = cursor.fetchone()
    missing = most - left if is_granted else 1.0 - left
    return Allowance(most, int(left), max(1, -int(-missing * 60.0 // most)), is_granted)
