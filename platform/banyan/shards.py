"""Which shard an account is in."""

from banyan.ids import stable_hash

CANARY = "canary"
"""The shard of accounts that were opened to go first when something new is tried."""
SHARDS_MAX = 48
"""Over how many shards accounts can be spread at most."""


def shard_keys(shards: int) -> tuple[str, ...]:
    """Return the keys of all shards, the canary shard last."""
    return (*(f"{number:02d}" for number in range(shards)), CANARY)


def shard_of(account: str, shards: int) -> str:
    """Return the shard of an account that is not in the canary shard: the same for ever, whoever asks."""
    return f"{stable_hash(account) % shards:02d}"
