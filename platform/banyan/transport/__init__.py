"""Transports only carry: what is committed goes to its receivers, and what they miss is read again."""

from banyan.transport.local import LocalTransport

__all__ = ["LocalTransport"]
