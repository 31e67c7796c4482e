"""What is needed to know of who holds the keys that are joined to Kafka: a host, or what stands for hosts elsewhere."""

from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, Protocol

from banyan.context import Context
from banyan.host import Delivery, HostSettings, Wanted
from banyan.store import Store


class Held(Protocol):
    """A key that is held."""

    @property
    def epoch(self) -> int:
        """The epoch of its lease."""

    @property
    def number(self) -> int:
        """The number of its last record."""

    @property
    def handed_over_ns(self) -> int | None:
        """When, by the monotonic clock, its lead was given away here."""

    @property
    def marks(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """How far each stream has been applied."""

    @property
    def is_leading(self) -> bool:
        """Whether it leads here."""

    @property
    def is_astray(self) -> bool:
        """Whether it has another state than its leader, and needs a seed."""

    @property
    def parked_because(self) -> str:
        """Why it takes no input, "" where it does."""

    @property
    def records(self) -> Sized:
        """The records of its leader's log that wait."""


class Holder(Protocol):
    """Who holds keys of a context, and gives what it has of them to `look`, `log` and `compare`."""

    look: Callable[[Wanted], None]
    compare: Callable[[list[Delivery]], None]
    log: Callable[[list[Delivery]], None] | None

    @property
    def context(self) -> Context[Any]:
        """The context."""

    @property
    def store(self) -> Store:
        """Its database."""

    @property
    def settings(self) -> HostSettings:
        """How it works."""

    @property
    def keys(self) -> Mapping[str, Held]:
        """The keys that are held."""

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Let messages wait."""

    def waiting(self) -> int:
        """Return how many wait."""

    def seed(self, keys: Iterable[str]) -> None:
        """Give `log`, of those of the keys that lead here, all that it takes to follow them."""
