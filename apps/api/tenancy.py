"""Whose rows a caller sees: the one place that says it."""

from collections.abc import Collection, Mapping
from typing import Any

from apps.api.access import Caller
from apps.api.problems import Problem
from apps.reporting.interface import Scope

Whose = Scope
"""What a question is limited to, for those who pass it on."""
_LIMITS = ("account", "set", "instrument", "day")


def scope_of_client(client: str) -> Scope:
    """Return what is read for one client, "": for the firm."""
    return Scope(client=client)


def scope_of_clients(clients: Collection[str]) -> Scope:
    """Return what is read for several clients at once, of which each is given its own; "" among them: for the firm."""
    return Scope() if "" in clients else Scope(clients=tuple(clients))


def scope_of(caller: Caller, asked: Mapping[str, Any], **more: Any) -> Scope:
    """Return what a caller asks for as reporting is asked, within what is the caller's.

    A client that asks for another's is told that there is no such thing, as it would be of one that does not exist.
    """
    client = asked.get("client", "")
    if caller.client and client not in ("", caller.client):
        raise Problem("not-found")
    limits = {name: asked[name] for name in _LIMITS if asked.get(name)} | more
    return Scope(client=caller.client or client, since_ns=asked.get("since"), until_ns=asked.get("until"), **limits)
