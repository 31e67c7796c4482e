"""Identifiers that follow from what they name, so that whoever computes them twice gets the same."""

import hashlib


def derive(*parts: str | int) -> str:
    """Return 32 hex digits (128 bits of BLAKE2b) that stand for exactly these parts in this order."""
    texts = [f"i{part}".encode() if isinstance(part, int) else f"s{part}".encode() for part in parts]
    named = b"".join([len(text).to_bytes(4, "big") + text for text in texts])
    return hashlib.blake2b(named, digest_size=16).hexdigest()


def stable_hash(text: str) -> int:
    """Return a hash of `text`, 0 to 2**64 - 1, that is the same in every process and for ever."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
