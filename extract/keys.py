"""Which keys a context has: shards, which are fixed for life, or whatever people have made."""

from collections.abc import Sequence

import psycopg

from banyan.facade import Side
from banyan.facade.routing import routing_of
from banyan.kafka.topics import Topics
from extract.sides import store_of


def keys_of(context: str, topics: Topics) -> list[str]:
    """Return the keys of a context, in order: those that either side has, where they are not shards.

    Raises psycopg.OperationalError where the app's side cannot be reached.
    """
    if is_sharded(context, topics):
        return list(topics.shards)
    with store_of(context, Side.APP) as store:
        found = set(store.all_keys())
    if routing_of(context).has_service:
        try:
            with store_of(context, Side.SERVICE) as store:
                found |= set(store.all_keys())
        except psycopg.Error:
            pass  # what it leads it has been handed by the app, which knows it
    return sorted(found)


def is_sharded(context: str, topics: Topics) -> bool:
    """Tell whether the keys of a context are shards."""
    return (context, context) in topics.keyed


def begin_following(context: str, side: Side, keys: Sequence[str]) -> None:
    """Let a side have keys that it has never had: they follow there, from the seed on that their leader gives."""
    with store_of(context, side) as store:
        store.connection.execute(
            "INSERT INTO banyan_key (key, epoch, is_leading, number, owner, parked_because, parked_id) "
            "SELECT key, 0, false, 0, '', '', '' FROM unnest(%s::text[]) AS r(key) ON CONFLICT DO NOTHING",
            [list(keys)],
        )
