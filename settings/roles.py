"""What the system is made of when it runs: roles, their keys, and who gets which event."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings

from apps.execution.sharding import shard_keys
from apps.feeds.contracts import BarClosed
from apps.feeds.core import FEEDS
from apps.signals.contracts import TargetSet
from apps.signals.core import SIGNALS
from apps.signals.interface import sets_of_feed
from banyan.clock import Clock
from banyan.context import Context
from banyan.host import Host, HostSettings, Route, every
from banyan.messages import Message
from banyan.process import HostWorker, Listener, Role, Roles, Worker, is_gone, own_name
from banyan.store import Store
from banyan.transport import LocalTransport

SHARDS = shard_keys(settings.SHARDS)
_DIRECTORY_SECONDS = 1.0


class SetsOfFeeds:
    """Which sets a feed's bars go to, looked up again every second: a set that was defined just now starts then."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, list[str]]] = {}

    def __call__(self, feed: str, _: Message) -> Iterable[str]:
        """Return the sets that listen to `feed`."""
        looked_at, sets = self._known.get(feed, (-_DIRECTORY_SECONDS, []))
        if time.monotonic() - looked_at >= _DIRECTORY_SECONDS:
            sets = sets_of_feed(feed)
            self._known[feed] = time.monotonic(), sets
        return sets


HOSTED_CONTEXTS: Mapping[str, Context[Any]] = {context.name: context for context in (FEEDS, SIGNALS)}

ROUTES: Mapping[str, Sequence[Route]] = {
    "feeds": [Route(BarClosed, "signals", SetsOfFeeds())],
    "signals": [Route(TargetSet, "execution", every(SHARDS))],
}

SENDERS: Mapping[str, Sequence[str]] = {
    receiver: [sender for sender, routes in ROUTES.items() if any(route.receiver == receiver for route in routes)]
    for receiver in ("feeds", "signals", "execution", "risk")
}


def hosted(context: Context[Any], keys: Sequence[str] | None) -> Callable[[LocalTransport, Clock], Sequence[Worker]]:
    """Return what builds the workers of a context's role; its keys are those given, or all that there are."""

    def build(transport: LocalTransport, clock: Clock) -> Sequence[Worker]:
        store = Store(context.name)
        host = Host(context, store, ROUTES.get(context.name, ()), clock, owner=own_name(), settings=HostSettings())
        host.is_gone = is_gone
        transport.join(host)
        return [HostWorker(host, keys, clock), Listener(host)]

    return build


ROLES: Roles = {
    role.name: role
    for role in (
        Role("feeds", "core", "market data: checks what sources give, and closes bars", hosted(FEEDS, None)),
        Role("signals", "core", "strategy sets: bars in, targets out", hosted(SIGNALS, None)),
    )
}
