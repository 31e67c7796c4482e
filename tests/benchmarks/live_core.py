"""`manage.py` with a probe: whatever it starts says when orders have been accepted by a broker's socket.

After each batch of orders a datagram (time in ns since 1970 UTC, orders) goes to the Unix socket that
`BANYAN_BENCH_PROBE` names. The supervisor starts its children by the same script, so all of the tree has the probe.
"""

import os
import socket
import struct
import sys
import time

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from apps.execution.edge.paper import PaperBroker
from apps.execution.edge.port import Orders

DATAGRAM = struct.Struct("!qq")


def main() -> None:
    """Run the command that the arguments say."""
    from django.core.management import execute_from_command_line

    _install_probe(os.environ["BANYAN_BENCH_PROBE"])
    execute_from_command_line(sys.argv)


def _install_probe(address: str) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    submit = PaperBroker.submit

    def timed(self: PaperBroker, orders: Orders) -> None:
        submit(self, orders)
        told.sendto(DATAGRAM.pack(time.time_ns(), orders.client_ids.size), address)

    PaperBroker.submit = timed  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
