"""The one runtime of every context: from waiting messages to a committed log, and what follows from it handed on."""

from banyan.host.delivery import Delivery, Place
from banyan.host.host import Host, HostSettings, Wanted
from banyan.host.routes import Route, every, same_key

__all__ = ["Delivery", "Host", "HostSettings", "Place", "Route", "Wanted", "every", "same_key"]
