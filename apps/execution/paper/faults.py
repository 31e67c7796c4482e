"""What the paper broker does wrong on purpose, drawn from a seed."""

import random
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from banyan.columns import Ints


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares from 0 to 1 of what they befall, and a delay in milliseconds."""

    seed: int = 0
    reject: float = 0.0
    """Orders that are rejected."""
    requote: float = 0.0
    """Market orders that are rejected because the price has moved."""
    partial: float = 0.0
    """Orders of which only a part is filled at first."""
    late: float = 0.0
    """Orders that are filled only after they were cancelled, or `late_ms` later."""
    lost_reply: float = 0.0
    """Answers that are never sent."""
    disconnect: float = 0.0
    """Batches of orders after which the connection is closed before they are answered."""
    latency_ms: float = 0.0
    """Answers are sent up to twice this later."""
    late_ms: float = 200.0


class Dice:
    """Draws which fault befalls what. Without faults nothing is drawn."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = random.Random(faults.seed)
        self._rows = np.random.default_rng(faults.seed)

    def chosen(self, share: float, rows: int) -> NDArray[np.bool_]:
        """Return which of `rows` rows are befallen by a fault of `share`."""
        return self._rows.random(rows) < share if share else np.zeros(rows, bool)

    def happens(self, share: float) -> bool:
        """Return whether a fault of `share` happens now."""
        return bool(share) and self._random.random() < share

    def delay_ns(self) -> int:
        """Return by how much an answer is late."""
        latency_ms = self.faults.latency_ms
        return int(self._random.uniform(0.0, 2e6 * latency_ms)) if latency_ms else 0

    def parts(self, steps: Ints) -> Ints:
        """Return how many steps of each order may be filled at first, 0 for all: at least 1, and less than all."""
        size = np.abs(steps)
        befallen = self.chosen(self.faults.partial, steps.size) & (size > 1)
        return np.where(befallen, 1 + (self._rows.random(steps.size) * (size - 1)).astype(np.int64), 0)


def read_faults(text: str | bytes) -> Faults:
    """Return the faults that a JSON object names. Raises msgspec.DecodeError with what is wrong."""
    faults: Any = msgspec.json.decode(text or b"{}", type=Faults)
    return faults  # type: ignore[no-any-return]
