"""What the edge's ledger says that it has sent, for whoever reads it afterwards."""

from collections.abc import Iterable, Mapping

import numpy as np

from apps.execution.contracts import OrdersSent
from apps.execution.edge.entries import EntryKind, Line, Slice
from apps.execution.edge.ledger import Ledger
from apps.execution.edge.shard import SENDER
from apps.execution.packed import unpack
from banyan.codec import Envelope, encode_envelope, encode_message
from banyan.host.delivery import join_events
from banyan.store import Step


class SentOrders:
    """The ledger as a log: one record for each slice, with the orders of it that were sent."""

    name = SENDER
    is_gapless = False

    def __init__(self) -> None:
        self._ledger = Ledger()

    def heads(self) -> Mapping[str, int]:
        """Return the number of the last entry of each shard."""
        return dict(self._ledger.connection.execute("SELECT key, number FROM edge_lease WHERE number > 0").fetchall())

    def steps(self, key: str, after: int, upto: int) -> Iterable[Step]:
        """Yield the slices of a shard, from the entry after `after` up to `upto`, both included."""
        for line in self._ledger.lines(key, after, kinds=(EntryKind.SLICE,)):
            if line.number > upto:
                return
            yield _step(line)

    def first(self, key: str) -> int:
        """Return the number of the first entry that there still is: the ledger is whole."""
        return 1

    def close(self) -> None:
        """Close the connection."""
        self._ledger.close()


def _step(line: Line) -> Step:
    sent = _sent(line.what, line.at_ns)
    events = [] if sent is None else [(OrdersSent.wire_name, encode_message(sent))]
    header = encode_envelope(Envelope(name=OrdersSent.wire_name, id=line.id, key=line.key, sent_at_ns=line.at_ns))
    return Step(line.key, line.number, line.at_ns, header, b"{}", join_events(events))


def _sent(slice_: Slice, at_ns: int) -> OrdersSent | None:
    sent = np.flatnonzero(unpack(slice_.session, slice_.rows) != 0)
    if slice_.is_queried or not sent.size:
        return None
    return OrdersSent(
        instruments=[each.id for each in slice_.terms],
        account=unpack(slice_.account, slice_.rows)[sent],
        instrument=unpack(slice_.instrument, slice_.rows)[sent],
        decision=unpack(slice_.decision, slice_.rows)[sent],
        at_ns=at_ns,
    )
