"""`manage.py` with a probe: the processes of sets say when targets have been committed.

After each commit a datagram for each target set (time of the commit, close that it follows from, both in ns since 1970
UTC, targets) goes to the Unix socket that `BANYAN_BENCH_PROBE` names. The processes of sets are forked from this one,
so they have the probe.
"""

import struct
import time

import apps  # noqa: F401  (puts the source root `platform/` on the path)
from apps.signals.contracts import TargetSet
from banyan.host import Delivery
from banyan.transport import LocalTransport
from tests.benchmarks.tree import manage, probe_address

DATAGRAM = struct.Struct("!qqq")


def _install_probe() -> None:
    told = probe_address()
    hand_on = LocalTransport.hand_on

    def timed(self: LocalTransport, deliveries: list[Delivery]) -> None:
        committed_ns = time.time_ns()
        hand_on(self, deliveries)
        found = {each.envelope.number: each.message for each in deliveries if isinstance(each.message, TargetSet)}
        for message in found.values():
            told.send(DATAGRAM.pack(committed_ns, message.decided_at_ns, len(message.quotes)))

    LocalTransport.hand_on = timed  # type: ignore[method-assign]


if __name__ == "__main__":
    _install_probe()
    manage()
