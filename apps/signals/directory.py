"""Which sets are to have a process, and how these are: plain SQL, through one connection."""

from collections.abc import Collection, Sequence

from apps.signals.core import SIGNALS
from banyan.process import Report
from banyan.store import Store


class SetDirectory:
    """The sets in the database of the context `signals`."""

    def __init__(self) -> None:
        self._store = Store(SIGNALS.name)

    def wanted(self) -> Collection[str]:
        """Return the sets that were started and are not parked."""
        rows = self._store.connection.execute(
            "SELECT id FROM signals_strategyset WHERE is_started AND parked_because = ''"
        )
        return [name for (name,) in rows]

    def park(self, name: str, reason: str) -> None:
        """Want no process for a set until a person starts it again."""
        self._store.connection.execute(
            "UPDATE signals_strategyset SET parked_because = %s WHERE id = %s", [reason, name]
        )

    def report(self, reports: Sequence[Report]) -> None:
        """Write down how processes are."""
        self._store.connection.execute(
            "INSERT INTO signals_setreport (set_id, reported_at, state, pid, failures, starts, problem, megabytes) "
            "SELECT r.name, now(), r.state, r.pid, r.failures, r.starts, r.problem, r.megabytes FROM "
            "unnest(%s::text[], %s::text[], %s::int[], %s::int[], %s::int[], %s::text[], %s::float8[]) "
            "AS r(name, state, pid, failures, starts, problem, megabytes) ON CONFLICT (set_id) DO UPDATE SET "
            "reported_at = EXCLUDED.reported_at, state = EXCLUDED.state, pid = EXCLUDED.pid, "
            "failures = EXCLUDED.failures, starts = EXCLUDED.starts, problem = EXCLUDED.problem, "
            "megabytes = EXCLUDED.megabytes",
            [list(column) for column in zip(*reports, strict=True)],
        )

    def close(self) -> None:
        """Let go of the connection, until it is needed again."""
        self._store.close()
