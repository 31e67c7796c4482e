"""Transports only carry: what is committed goes to its receivers, and what they miss is read again."""

from banyan.transport.channels import ChannelListener, Channels
from banyan.transport.local import Command, LocalTransport, ask
from banyan.transport.notices import Notified, deliveries_of

__all__ = ["ChannelListener", "Channels", "Command", "LocalTransport", "Notified", "ask", "deliveries_of"]
