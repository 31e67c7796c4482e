"""Whether a system has come to rest: nothing waits or is due anywhere, and all that was sent has been applied."""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from banyan.store import Store


class Beside(Protocol):
    """Someone who works beside the hosted contexts, and is asked too."""

    def is_at_rest(self) -> bool:
        """Tell whether nothing waits there, and everything that it has sent has been applied."""

    def close(self) -> None:
        """Close the connections."""


class Quiet:
    """Asks the databases of hosted contexts, and those `beside` them.

    `senders` gives, by receiving context, the contexts whose events it gets. Not for several threads at once.
    """

    def __init__(
        self, hosted: Sequence[str], senders: Mapping[str, Sequence[str]], beside: Sequence[Beside] = ()
    ) -> None:
        self._stores = {name: Store(name) for name in hosted}
        self._senders = senders
        self._beside = beside
        self._numbers: Mapping[str, int] | None = None

    def __call__(self) -> bool:
        """Tell whether it was at rest and nothing has been applied since it was asked the last time."""
        numbers = {name: store.applied() for name, store in self._stores.items()}
        is_quiet = all(self._is_at_rest(name) for name in self._stores) and all(
            each.is_at_rest() for each in self._beside
        )
        before, self._numbers = self._numbers, numbers if is_quiet else None
        return is_quiet and before == numbers

    def close(self) -> None:
        """Close the connections."""
        for store in self._stores.values():
            store.close()
        for each in self._beside:
            each.close()

    def _is_at_rest(self, receiver: str) -> bool:
        store = self._stores[receiver]
        if store.has_requests() or store.has_timers_due(time.time_ns()):
            return False
        for sender in self._senders.get(receiver, ()):
            if sender in self._stores:
                applied = store.applied_from(sender)
                sent = self._stores[sender].sent_to(receiver)
                if any(position > applied.get(stream, 0) for stream, position in sent.items()):
                    return False
        return True
