"""Transports only carry: what is committed goes to its receivers, and what they miss is read again."""

from banyan.transport.channels import ChannelListener, ChannelReader, Channels, Reported
from banyan.transport.local import Command, LocalTransport, ask
from banyan.transport.notices import Notified, deliveries_of

__all__ = [
    "ChannelListener", "ChannelReader", "Channels", "Command", "LocalTransport", "Notified", "Reported", "ask",
    "deliveries_of",
]  # fmt: skip
