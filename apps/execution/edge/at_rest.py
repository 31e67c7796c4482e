"""Whether the edge has come to rest, as its ledger tells it: for replays in lock step."""

from apps.execution.edge.ledger import Ledger
from apps.execution.edge.memory import Memory, OrderState
from apps.execution.edge.shard import SENDER, remembered
from banyan.store import Store

_EXECUTION = "execution"


def awaits_answer(memory: Memory) -> bool:
    """Tell whether a broker has still to say something of an order that was sent, or of a cancel."""
    orders = memory.orders.rows[memory.open_rows()]
    return bool((orders["state"] < OrderState.WORKING).any() or (orders["cancelling"] != 0).any())


class EdgeAtRest:
    """Reads what the edge has taken, and what its broker has answered. Not for several threads at once."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._execution = Store(_EXECUTION)
        self._shards: dict[str, tuple[int, Memory]] = {}

    def is_at_rest(self) -> bool:
        """Tell whether the edge has taken what execution has sent, all is answered, and execution has applied that."""
        applied = self._execution.applied_from(SENDER)
        for (sender_key, key), position in self._execution.sent_to(SENDER).items():
            if self._ledger.streams(key).get((_EXECUTION, sender_key), (0, 0))[1] < position:
                return False
        ends = self._ledger.ends()
        return not any(
            reported > applied.get((key, key), 0) or awaits_answer(self._memory(key, number))
            for key, (number, reported) in ends.items()
        )

    def close(self) -> None:
        """Close the connections."""
        self._ledger.close()
        self._execution.close()

    def _memory(self, key: str, upto: int) -> Memory:
        """Return what a shard knew after its line `upto`."""
        number, memory = self._shards.get(key) or remembered(self._ledger, key)
        if number < upto:
            for line in self._ledger.lines(key, number, most=upto - number):
                memory.apply(line)
        self._shards[key] = max(number, upto), memory
        return memory
