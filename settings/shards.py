"""The keys of all shards, as every process of the system knows them."""

from django.conf import settings

from banyan.shards import shard_keys

SHARDS = shard_keys(settings.SHARDS)
