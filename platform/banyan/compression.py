"""How long bodies are stored: as one Zstandard frame, where that makes them shorter to write.

Messages of many accounts are JSON of much the same numbers, a tenth as long when compressed; writing them is most of
what a commit costs. Short bodies stay as they are, so that they can be read with nothing but SQL.
"""

import threading

import zstandard

LONG_BYTES = 1024
_MAGIC = b"\x28\xb5\x2f\xfd"
_LEVEL = 1
_OF_THREAD = threading.local()


def compress(body: bytes) -> bytes:
    """Return a body as it is stored."""
    if len(body) < LONG_BYTES and not body.startswith(_MAGIC):
        return body
    if not hasattr(_OF_THREAD, "compressor"):
        _OF_THREAD.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    return bytes(_OF_THREAD.compressor.compress(body))


def expand(stored: bytes) -> bytes:
    """Return a body that `compress` stored. Raises zstandard.ZstdError for a damaged one."""
    if not stored.startswith(_MAGIC):
        return stored
    if not hasattr(_OF_THREAD, "decompressor"):
        _OF_THREAD.decompressor = zstandard.ZstdDecompressor()
    return bytes(_OF_THREAD.decompressor.decompress(stored))
