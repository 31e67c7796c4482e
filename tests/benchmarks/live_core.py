"""`manage.py` with a probe: whatever it starts says when orders have been accepted by a broker's socket.

After each batch of orders a datagram (time in ns since 1970 UTC, orders) goes to the Unix socket that
`BANYAN_BENCH_PROBE` names; commits on the way there are told by `stages`. The supervisor starts its children by the
same script, so all of the tree has the probe.
"""

import struct
import time

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.port import Orders
from tests.benchmarks.stages import tell_stages
from tests.benchmarks.tree import manage, probe_address

DATAGRAM = struct.Struct("!qq")


def _install_probe() -> None:
    told = probe_address()
    submit = PaperBroker.submit

    def timed(self: PaperBroker, orders: Orders) -> None:
        submit(self, orders)
        told.send(DATAGRAM.pack(time.time_ns(), orders.client_ids.size))

    PaperBroker.submit = timed  # type: ignore[method-assign]


if __name__ == "__main__":
    _install_probe()
    tell_stages()
    manage()
