"""`manage.py` with a probe: the processes of sets say when targets have been committed.

After each commit a datagram for each target set (time of the commit, close that it follows from, both in ns since 1970
UTC, targets) goes to the Unix socket that `BANYAN_BENCH_PROBE` names. The processes of sets are forked from this one,
so they have the probe.
"""

import os
import socket
import struct
import sys
import time

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from apps.signals.contracts import TargetSet
from banyan.host import Delivery
from banyan.transport import LocalTransport

DATAGRAM = struct.Struct("!qqq")


def main() -> None:
    """Run the command that the arguments say."""
    from django.core.management import execute_from_command_line

    _install_probe(os.environ["BANYAN_BENCH_PROBE"])
    execute_from_command_line(sys.argv)


def _install_probe(address: str) -> None:
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    hand_on = LocalTransport.hand_on

    def timed(self: LocalTransport, deliveries: list[Delivery]) -> None:
        committed_ns = time.time_ns()
        hand_on(self, deliveries)
        found = {each.envelope.number: each.message for each in deliveries if isinstance(each.message, TargetSet)}
        for message in found.values():
            told.sendto(DATAGRAM.pack(committed_ns, message.decided_at_ns, len(message.quotes)), address)

    LocalTransport.hand_on = timed  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
