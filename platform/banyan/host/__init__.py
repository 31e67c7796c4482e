"""The one runtime of every context: from waiting messages to a committed log, and what follows from it handed on."""

from banyan.host.delivery import Delivery, Place
from banyan.host.following import COMPARATOR
from banyan.host.host import Host, Wanted
from banyan.host.records import record_of
from banyan.host.round import Shown
from banyan.host.routes import Route, every, same_key
from banyan.host.settings import HostSettings
from banyan.host.turns import Turn, bringing

__all__ = [
    "COMPARATOR",
    "Delivery",
    "Host",
    "HostSettings",
    "Place",
    "Route",
    "Shown",
    "Turn",
    "Wanted",
    "bringing",
    "every",
    "record_of",
    "same_key",
]
