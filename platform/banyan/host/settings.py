"""How a host works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostSettings:
    """How a host works.

    A key's snapshot is kept after `snapshot_every` records, once nothing has been done for `snapshot_quiet_seconds`: in
    the middle of a signal its orders would wait. A host that is never at rest keeps it after twice as many. Inputs that
    are not urgent to their context wait until nothing has been done for `rest_seconds`.

    Keys that follow take in what their leaders' logs show every `follow_seconds`, together: nobody waits for them.
    Of `compare_percent` of these records they decide too, to be compared.

    `always_decode` passes every message through the codec, also where sender and receiver share a process: tests do, so
    that nothing can be relied on but what is on the wire.
    """

    inputs_per_round_max: int = 256
    waiting_max: int = 10_000
    tries_max: int = 3
    snapshot_every: int = 1_000
    snapshot_quiet_seconds: float = 0.05
    rest_seconds: float = 0.0
    digest_every: int = 256
    follow_seconds: float = 0.05
    compare_percent: int = 100
    poll_seconds: float = 1.0
    always_decode: bool = False
    side: str = "app"
