"""How many calls a key has left: a bucket that fills up again, shared by all processes through the database."""

from typing import NamedTuple

_MOST = "(EXCLUDED.calls_left + 1)"
_THERE = f"least({_MOST}, a.calls_left + extract(epoch FROM greatest(EXCLUDED.at, a.at) - a.at) * {_MOST} / 60.0)"
TAKE = f"""
    INSERT INTO api_allowance AS a (key, calls_left, is_granted, at)
    SELECT id, calls_per_minute - 1, true, %(now)s FROM known WHERE {{}}
    ON CONFLICT (key) DO UPDATE SET at = greatest(EXCLUDED.at, a.at), is_granted = {_THERE} >= 1,
      calls_left = {_THERE} - CASE WHEN {_THERE} >= 1 THEN 1 ELSE 0 END
    RETURNING calls_left, is_granted"""  # noqa: S608  (names of ours)
"""Takes one call of each key of `known` for which a condition holds."""


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


def allowance_of(most: int, left: float, *, is_granted: bool) -> Allowance:
    """Return what is left of `most` calls a minute, as it was taken."""
    missing = most - left if is_granted else 1.0 - left
    return Allowance(most, int(left), max(1, -int(-missing * 60.0 // most)), is_granted)
