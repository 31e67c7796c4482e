"""What an intake needs to know of who holds the keys that it reads for: a host, or what stands for hosts elsewhere."""

from collections.abc import Iterable, Mapping, Sized
from typing import Any, Protocol

from banyan.context import Context
from banyan.host import Delivery, HostSettings
from banyan.store import Store


class Held(Protocol):
    """A key that is held."""

    @property
    def epoch(self) -> int:
        """The epoch of its lease."""

    @property
    def marks(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """How far each stream has been applied."""

    @property
    def is_leading(self) -> bool:
        """Whether it leads here."""

    @property
    def parked_because(self) -> str:
        """Why it takes no input, "" where it does."""

    @property
    def records(self) -> Sized:
        """The records of its leader's log that wait."""


class Holder(Protocol):
    """Who holds keys of a context."""

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
